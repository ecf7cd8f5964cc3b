"""Zero ablation: a cut edge carries nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Zero:
    name: str = "zero"

    def background(self, model, corrupted, valid) -> None:
        return None
