"""Resample ablation: a cut edge carries what the writer wrote on the paired corrupted input.

Interchange in the unpruned model (Chan et al. 2022; "path patching", Goldowsky-Dill et al. 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from edgeprune_core.ablations.base import Ablation
from edgeprune_core.engine import trace


@dataclass(frozen=True)
class Resample(Ablation):
    name: str = "resample"
    paired: bool = True
    interchange: bool = True
    within_span: bool = True

    def background(self, model, corrupted, valid) -> Tensor:
        return trace(model, corrupted, valid=valid).writers
