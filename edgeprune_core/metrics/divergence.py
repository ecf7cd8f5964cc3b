"""Differentiable divergences of outputs from the model's: the training signal of the pathwise gradient.

`bounded` serves compiled models: with d the squared distance of the output coordinates at a position, in units
of their range, it is 1 - exp(-d). An empty answer (all coordinates 0 where one should be 1) costs 0.63 and a
confident wrong one 0.86. Without the bound, a wrong answer would cost much more than none, and training would
learn to answer nothing.

`kl` is the Kullback-Leibler divergence KL(model || pruned) in nats, of softmax(outputs / temperature). One-hot
scores of V values differ by 1, so the model's own probability of the right one is 1 / (1 + (V-1) exp(-1/T));
`sharp_temperature` is the T that makes it 1 - doubt.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Divergence = Literal["kl", "bounded"]


def bounded(
    got: Float[Tensor, "circuit item pos d_out"],
    want: Float[Tensor, "item pos d_out"],
    scored: Bool[Tensor, "item pos"],
    scale: float = 1.0,
) -> Float[Tensor, " circuit"]:
    """In [0, 1]: the mean over scored positions of 1 - exp(-squared distance / scale^2)."""
    distance = ((got - want) / (scale or 1.0)).square().sum(-1)
    return _mean_scored(-torch.expm1(-distance), scored)


def kl(
    got: Float[Tensor, "circuit item pos d_out"],
    want: Float[Tensor, "item pos d_out"],
    scored: Bool[Tensor, "item pos"],
    temperature: float = 1.0,
) -> Float[Tensor, " circuit"]:
    """In nats: the mean over scored positions of KL(model || pruned)."""
    return _mean_scored(kl_nats(got, want, temperature), scored)


def kl_nats(
    got: Float[Tensor, "circuit item pos d_out"],
    want: Float[Tensor, "item pos d_out"],
    temperature: float = 1.0,
) -> Float[Tensor, "circuit item pos"]:
    """KL(model || pruned) at each position."""
    p, q = (want / temperature).log_softmax(-1), (got / temperature).log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


def sharp_temperature(n_values: int, doubt: float = 0.01) -> float:
    """T with (V-1) exp(-1/T) = doubt / (1 - doubt)."""
    return 1.0 / math.log(max(n_values - 1, 1) * (1 - doubt) / doubt)


def _mean_scored(x: Tensor, scored: Tensor) -> Tensor:
    return (x * scored).sum((-1, -2)) / scored.sum().clamp_min(1)
