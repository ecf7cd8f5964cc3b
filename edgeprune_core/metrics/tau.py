"""Kendall's tau-b (Kendall 1945) with the model's outputs, over the model's likeliest: does their order survive?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.metrics.base import Metric, mean_scored

TOP = 50  # outputs whose order is compared


@dataclass(frozen=True)
class Tau(Metric):
    name: str = "tau"
    label: str = "Kendall's tau"

    def __call__(self, task, outputs, items) -> Tensor:
        clean = items[:, 0]
        return mean_scored(kendall_tau(outputs, task.wanted(clean)), task.scored[clean])


def kendall_tau(
    got: Float[Tensor, "*lead item pos d_out"], want: Float[Tensor, "item pos d_out"], top: int = TOP
) -> Float[Tensor, "*lead item pos"]:
    """Over the `top` largest wanted outputs; 0 where either order is constant."""
    chosen = want.topk(min(top, want.shape[-1]), dim=-1).indices
    x, y = got.gather(-1, chosen.expand(*got.shape[:-1], -1)), want.gather(-1, chosen)
    a, b = _order(x), _order(y)
    ties = (a.square().sum((-1, -2)) * b.square().sum((-1, -2))).sqrt()
    return torch.where(ties > 0, (a * b).sum((-1, -2)) / ties.clamp_min(1e-30), 0.0)


def _order(x: Tensor) -> Tensor:
    return (x[..., :, None] - x[..., None, :]).sign()
