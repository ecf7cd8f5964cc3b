"""Zero ablation: a cut edge carries nothing."""

from __future__ import annotations

from dataclasses import dataclass

from edgeprune_core.ablations.base import Ablation


@dataclass(frozen=True)
class Zero(Ablation):
    name: str = "zero"
    within_span: bool = True

    def background(self, model, corrupted, valid) -> None:
        return None
