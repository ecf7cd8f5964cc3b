"""Backward elimination: removes each edge without which the output stays within the tolerance."""

from __future__ import annotations

from edgeprune_core.circuit import Circuit
from edgeprune_core.task import Task


def eliminate(task: Task, items) -> Circuit:
    """Starts at the last readers, and removes dangling edges at once. items: rows of (clean, corrupted) to try.

    A few items come first: most required edges show on them already.
    """
    few = items[:: max(1, len(items) // 64)]
    circuit = Circuit.full(task.graph)
    for edge in reversed(list(circuit)):
        if edge in circuit:
            smaller = circuit.without(edge).connected()
            if all(task.deviations(smaller, rows).max() <= task.outcome.limit for rows in (few, items)):
                circuit = smaller
    return circuit
