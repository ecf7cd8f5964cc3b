"""The share of items on which the likeliest output is the model's own at every scored position."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from edgeprune_core.metrics.base import Metric


@dataclass(frozen=True)
class ExactMatch(Metric):
    name: str = "exact_match"
    label: str = "exact match"

    def __call__(self, task, outputs, items) -> Tensor:
        return task.matches(outputs, items)
