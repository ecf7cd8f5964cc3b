"""Annealed gates: without noise, and always as many open as are wanted.

With log-alphas s, a temperature T that falls during the training, and a threshold t for which the gates sum to the number
wanted,

    z = min(1, max(0, sigmoid((s - t) / T) (r - l) + l)),

hard-concrete gates without their noise (`gates.py`). At first many gates lie between 0 and 1; at the end, the largest
log-alphas have gates of 1 and the others of 0. Savarese et al. 2020 (arXiv 1912.04427) anneal deterministic gates so.

The sum is fixed, so a gate opens as far as others close, and an edge must be worth more than those whose place it takes:
with g the gradient of the loss in the gates, that in s is

    z' (g - mean of g, weighted by z').

The mean is the price of an edge, and no price has to be chosen. Without it, Adam opens every gate that helps at all. We differ
in that z' is the sigmoid's at temperature 1, whatever T is: the gates of closed edges still have a gradient, and can open again.

Noise costs more than it gains on a large graph: where 4,000 of 70,000 edges are to stay, a sampled circuit lacks hundreds of
the edges that are open on average, and the loss is that of a much worse circuit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.training.gates import HardConcrete

# Halvings of the interval that holds the threshold: to float64's precision.
HALVINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Annealing:
    """first, last: temperatures. until: the share of the steps over which the temperature falls, geometrically."""

    first: float = 1.0
    last: float = 0.05
    until: float = 0.8

    def temperature(self, done: float) -> float:
        """done: the share of the steps that were taken."""
        return self.first * (self.last / self.first) ** min(1.0, done / self.until)

    def gates(
        self, kind: HardConcrete, log_alphas: Float[Tensor, " edge"], n_open: int, done: float
    ) -> Float[Tensor, " edge"]:
        """Gates that sum to `n_open`, or all open where fewer have log-alphas above -inf; differentiable."""
        found: Tensor = _Gates.apply(log_alphas, kind, n_open, self.temperature(done))
        return found


class _Gates(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, log_alphas: Tensor, kind: HardConcrete, n_open: int, temperature: float) -> Tensor:
        threshold = _threshold(log_alphas.double(), kind, n_open, temperature)
        soft = torch.sigmoid(log_alphas - threshold)
        ctx.save_for_backward(soft * (1 - soft))
        return kind.mean_gate((log_alphas - threshold) / temperature)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (slope,) = ctx.saved_tensors
        price = (slope * grad).sum() / slope.sum().clamp(min=torch.finfo(slope.dtype).tiny)
        return slope * (grad - price), None, None, None


def _threshold(log_alphas: Tensor, kind: HardConcrete, n_open: int, temperature: float) -> float:
    trained = log_alphas[log_alphas.isfinite()]
    reach = 40 * temperature  # beyond it every gate is 0 or 1
    low, high = float(trained.min()) - reach, float(trained.max()) + reach
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if float(kind.mean_gate((trained - middle) / temperature).sum()) > n_open:
            low = middle
        else:
            high = middle
    return (low + high) / 2
