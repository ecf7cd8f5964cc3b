"""Ablations from outside. A method's process imports this module, so it must not import the truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from edgeprune_core.ablations import Ablation
from edgeprune_core.engine import trace
from edgeprune_core.graph import ResidualGraph


@dataclass(frozen=True)
class Ramp(Ablation):
    """The same for every writer, and in coordinates to which it never writes."""

    top: float = 1.0
    name: str = "ramp"

    def background(self, model, corrupted, valid):
        n, d_model = len(ResidualGraph.of(model.spec).writers), model.spec.d_model
        return torch.linspace(0, self.top, d_model, dtype=model.dtype).expand(n, *valid.shape, d_model)


@dataclass(frozen=True)
class Halved(Ablation):
    """Half of what the writer writes on the paired corrupted input."""

    name: str = "halved"
    paired: bool = True
    within_span: bool = True

    def background(self, model, corrupted, valid):
        return trace(model, corrupted, valid=valid).writers / 2
