"""The metrics of faithfulness by name; and the divergences and margins that training and methods use."""

from edgeprune_core.metrics.accuracy import Accuracy
from edgeprune_core.metrics.base import Metric
from edgeprune_core.metrics.exact_match import ExactMatch
from edgeprune_core.metrics.kl import Kl
from edgeprune_core.metrics.recovered import Recovered
from edgeprune_core.metrics.tau import Tau

METRICS: dict[str, Metric] = {row.name: row for row in (Kl(), Recovered(), Accuracy(), ExactMatch(), Tau())}

__all__ = ["METRICS", "Metric"]
