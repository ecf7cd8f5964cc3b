"""Normalisation of a reader's input, after its kept edges have been summed."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.spec import ModelSpec


def normalise(
    spec: ModelSpec, x: Float[Tensor, "... d_model"], gain: Tensor | None, bias: Tensor | None
) -> Float[Tensor, "... d_model"]:
    """LayerNorm (Ba et al. 2016), RMSNorm (Zhang & Sennrich 2019), or nothing, as the spec says."""
    match spec.norm:
        case "layernorm":
            return torch.nn.functional.layer_norm(x, x.shape[-1:], gain, bias, spec.norm_eps)
        case "rmsnorm":
            return torch.nn.functional.rms_norm(x, x.shape[-1:], gain, spec.norm_eps)
        case "rms":
            return torch.nn.functional.rms_norm(x, x.shape[-1:], None, spec.norm_eps)
        case "none":
            return x
