"""Circuits made of the highest-scoring edges, without dangling ones: what every method that ranks edges returns.

Ties go to the edge that comes first in the graph. Scores tie if they differ by no more than rounding does (`ties.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.task import Task
from edgeprune_core.ties import levelled


def discovered(
    task: Task, scores: Float[Tensor, " edge"], n_edges: int | None, *, steps: int = 0, runs: int = 0
) -> Discovery:
    """The `n_edges` best edges, or the fewest that the task accepts. runs: of whole circuits, to make the scores."""
    circuit, tried = fewest_edges(task, scores) if n_edges is None else (top_edges(task, scores, n_edges), 0)
    return Discovery(circuit=circuit, scores=scores, steps=steps, hard_evaluations=runs + tried)


def top_edges(task: Task, scores: Float[Tensor, " edge"], n_edges: int) -> Circuit:
    """The `n_edges` with the largest scores, before dangling ones are dropped."""
    return _first(task, _ranking(scores), n_edges)


def fewest_edges(
    task: Task, scores: Float[Tensor, " edge"], *, accepts: Callable[[Circuit], bool] | None = None
) -> tuple[Circuit, int]:
    """The shortest head of the ranking that the task (or `accepts`) accepts, and how many heads were tried.

    Bisection assumes that more edges are never worse. Where that fails, the result is accepted but may not be the shortest.
    """
    accepts = accepts or task.accepts
    order = _ranking(scores)
    few, enough, tried = 0, len(order), 0  # the full circuit always is
    while few < enough:
        middle = (few + enough) // 2
        tried += 1
        if accepts(_first(task, order, middle)):
            enough = middle
        else:
            few = middle + 1
    return _first(task, order, enough), tried


def _ranking(scores: Tensor) -> list[int]:
    level = torch.tensor(levelled(scores.tolist(), scores.dtype), dtype=torch.float64)
    return level.argsort(descending=True, stable=True).tolist()


def _first(task: Task, order: list[int], n_edges: int) -> Circuit:
    return Circuit.of(task.graph, (task.graph.edges[i] for i in order[:n_edges])).connected()
