"""Edge pruning; the method follows in a later commit."""

from __future__ import annotations

from dataclasses import dataclass

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePruning:
    def __call__(self, task: Task) -> Discovery:
        return Discovery(circuit=Circuit.full(task.graph))
