"""The last reader: what it sees, turned into output coordinates."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from edgeprune_core.engine.blocks.norm import normalise
from edgeprune_core.weights import Model


def unembed(model: Model, x: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_out"]:
    w = model.weights
    out = normalise(model.spec, x, w.norm_gain, w.norm_bias) @ w.unembed
    return out if w.b_unembed is None else out + w.b_unembed
