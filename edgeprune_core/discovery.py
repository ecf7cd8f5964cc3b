"""Discovery: what a method returns; and Scores, from a method that only ranks the edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from edgeprune_core.circuit import Circuit


@dataclass(frozen=True, kw_only=True, eq=False)
class Discovery:
    """A circuit, and how it was found.

    scores:           one number an edge, in the order of `graph.edges`, larger is kept longer; None if none.
    steps:            gradient steps taken.
    hard_evaluations: runs of whole candidate circuits outside the gradient estimate.
    notes:            anything else worth reading in a report.
    """

    circuit: Circuit
    scores: Tensor | None = None
    steps: int = 0
    hard_evaluations: int = 0
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """A ranking of the edges, which leaves open how many are kept. Fields as in `Discovery`."""

    scores: Tensor
    notes: Mapping[str, Any] = field(default_factory=dict)
