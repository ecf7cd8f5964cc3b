"""Rotary position embedding (Su et al. 2021, arXiv 2104.09864), in the half-split layout of Llama."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.spec import ModelSpec


def rotate(spec: ModelSpec, x: Float[Tensor, "*lead pos d_head"]) -> Float[Tensor, "*lead pos d_head"]:
    """Turns the pair (i, i + d_head/2) at position p by p * theta^(-2i/d_head) / rope_scaling."""
    half = spec.d_head // 2
    inverse = spec.rope_theta ** (-torch.arange(half, dtype=torch.float64, device=x.device) / half)
    angle = (
        torch.arange(x.shape[-2], dtype=torch.float64, device=x.device)[:, None] * inverse / spec.rope_scaling
    )
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)
