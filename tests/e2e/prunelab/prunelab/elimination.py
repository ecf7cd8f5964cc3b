"""Backward elimination: an edge goes where the output stays within the tolerance without it."""

from __future__ import annotations

from edgeprune_core.circuit import Circuit
from edgeprune_core.task import Task


def eliminate(task: Task, items) -> Circuit:
    """Last readers first; dangling edges go at once. items: rows of (clean, corrupted) that are looked at.

    A few items first: most edges that are needed are needed there.
    """
    few = items[:: max(1, len(items) // 64)]
    circuit = Circuit.full(task.graph)
    for edge in reversed(list(circuit)):
        if edge in circuit:
            smaller = circuit.without(edge).connected()
            if all(task.deviations(smaller, rows).max() <= task.outcome.limit for rows in (few, items)):
                circuit = smaller
    return circuit
