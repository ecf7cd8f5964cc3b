"""The share of items on which the likeliest output is an answer; without answers, the model's own output."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from edgeprune_core.metrics.base import Metric


@dataclass(frozen=True)
class Accuracy(Metric):
    name: str = "accuracy"
    label: str = "accuracy"

    def __call__(self, task, outputs, items) -> Tensor:
        return task.leads(outputs, items)
