"""Resample ablation: a cut edge carries what the writer wrote on the paired corrupted input.

Interchange in the unpruned model (Chan et al. 2022; "path patching", Goldowsky-Dill et al. 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from edgeprune_core.engine.forward import trace


@dataclass(frozen=True)
class Resample:
    name: str = "resample"

    def background(self, model, corrupted, valid) -> Tensor:
        return trace(model, corrupted, valid=valid).writers
