"""Candidate circuits, each judged by its worst item on the whole list; the best is kept.

We differ from Bhaskar et al. 2024, who choose a sparsity per program and judge by a mean divergence, which dilutes rare
items: a candidate is accepted where the worst scored coordinate over the whole list is within the task's tolerance. If it
is not, training starts again with a lower penalty. The runs of whole candidates are counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.mask import circuit_from_flags
from edgeprune_core.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts:
    """Further trainings while no candidate was accepted.

    count: at most. factor: of the penalty, from one training to the next. lowest: of the first penalty, at least.
    """

    count: int = 5
    factor: float = 0.5
    lowest: float = 0.125

    @property
    def penalties(self) -> list[float]:
        """Of the first training and each restart, in units of the first."""
        return [max(self.factor**attempt, self.lowest) for attempt in range(self.count + 1)]


class Candidates:
    """The best candidate so far, and what the search has cost.

    task: judges the candidates, in its own precision. training: the same in the precision to train in. budget: runs of
    whole candidates, at most.
    """

    def __init__(self, task: Task, dtype: torch.dtype = torch.float32, *, budget: float = math.inf) -> None:
        self.task, self.training = task, task.to(dtype)
        self.generator = torch.Generator().manual_seed(task.seed)
        self.circuit: Circuit | None = None
        self.scores: Tensor | None = None
        self.rank: tuple[float, int] = (math.inf, 0)
        self.steps = self.hard_evaluations = 0
        self.budget = budget

    @property
    def spent(self) -> bool:
        """Whether no more candidates may be run."""
        return self.hard_evaluations >= self.budget

    @property
    def accepted(self) -> bool:
        return self.rank[0] <= self.task.outcome.limit

    def consider(self, circuit: Circuit, scores: Tensor) -> bool:
        """Runs a candidate over the whole list; keeps it if it is the best yet, and says whether it is."""
        worst = float(self.task.deviations(circuit).max())
        self.hard_evaluations += 1
        rank = (max(worst, self.task.outcome.limit), len(circuit))
        if self.circuit is not None and rank >= self.rank:
            return False
        self.circuit, self.scores, self.rank = circuit, scores, rank
        return True

    def search(self, train: Callable[[float], tuple[Circuit, Tensor]], restarts: Restarts) -> None:
        """Trains until a candidate is accepted, or the budget is spent. `train` takes what to multiply the penalty by."""
        for penalty in restarts.penalties:
            self.consider(*train(penalty))
            if self.accepted or self.spent:
                return

    def discovery(self) -> Discovery:
        assert self.circuit is not None
        return Discovery(
            circuit=self.circuit, scores=self.scores, steps=self.steps, hard_evaluations=self.hard_evaluations
        )


def open_circuit(task: Task, on: Tensor) -> Circuit:
    """The open edges, without those that no open path joins to `out`."""
    return circuit_from_flags(task.graph, on).connected()
