"""KL(model || pruned) in nats, the mean over scored positions.

The one-hot scores of compiled models are sharpened first (`Task.temperature`).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from edgeprune_core.metrics.base import Metric, mean_scored
from edgeprune_core.metrics.divergence import kl_nats


@dataclass(frozen=True)
class Kl(Metric):
    name: str = "kl"
    label: str = "KL, nats"

    def __call__(self, task, outputs, items) -> Tensor:
        clean = items[:, 0]
        return mean_scored(kl_nats(outputs, task.wanted(clean), task.temperature), task.scored[clean])
