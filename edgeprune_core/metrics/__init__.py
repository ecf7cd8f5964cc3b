"""The metrics of faithfulness by name. `divergence.py` and `answers.py` are no metrics: training and methods use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeprune_core.lazy import Lazy, Table, exports

if TYPE_CHECKING:
    from edgeprune_core.metrics.base import Metric

METRICS: Table[Metric] = Table({
    "kl": Lazy("edgeprune_core.metrics.kl:Kl"),
    "recovered": Lazy("edgeprune_core.metrics.recovered:Recovered"),
    "accuracy": Lazy("edgeprune_core.metrics.accuracy:Accuracy"),
    "exact_match": Lazy("edgeprune_core.metrics.exact_match:ExactMatch"),
    "tau": Lazy("edgeprune_core.metrics.tau:Tau"),
})  # fmt: skip

__all__ = ["METRICS", "Metric"]

_HOMES = {"base": ("Metric",)}

__getattr__ = exports(__name__, _HOMES)
