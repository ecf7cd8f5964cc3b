"""The share of the margin that a circuit recovers: 0 without edges, 1 for the whole model.

A ratio of means over items, undefined where the margins of the model and of the empty circuit coincide.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from edgeprune_core.metrics.base import Metric


@dataclass(frozen=True)
class Recovered(Metric):
    name: str = "recovered"
    label: str = "margin recovered"
    rescaled: bool = True

    def __call__(self, task, outputs, items) -> Tensor:
        return task.margins(outputs, items)
