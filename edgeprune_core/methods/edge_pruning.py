"""Edge pruning: gates on the edges between components, trained to keep the model's outputs with few edges.

After "Finding Transformer Circuits with Edge Pruning" (Bhaskar et al. 2024, arXiv 2406.16778). Two gradient
estimators of the same method: `score` (binary gates, the default) and `pathwise` (hard-concrete gates, theirs);
their files derive them. With `pathwise`, two objectives: fewest edges within the tolerance, or the paper's
Lagrangian towards a target sparsity.

The circuit is a threshold on the gates. The worst scored coordinate over the whole list then says whether it is
accepted; if not, training starts anew with a lower penalty. These runs of whole candidates are counted.

We differ from the paper: the target is the setting's tolerance instead of a sparsity chosen per program, and a
candidate is judged by its worst item, since a mean divergence dilutes rare ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.mask import from_edge_values, to_circuit
from edgeprune_core.task import Task
from edgeprune_core.training.cross_entropy import EliteSettings, train_by_elites
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.pathwise import PathwiseSettings, train_pathwise
from edgeprune_core.training.score_function import ScoreSettings, train_by_score


@dataclass(frozen=True, slots=True, kw_only=True)
class Kicks:
    """Restarts from the neighbourhood of an accepted circuit (`training/elites.py` derives them).

    *Drops* keep every gate outside of the circuit shut, and are cheap; *routes* open them again. What either finds
    is trained on from there, like the first circuit.

    rounds: of a drop and a route each, at most; patience: rounds without a smaller circuit before the last.
    fresh:  items of a step, beside those remembered. steps, circuits: of the training that follows.
    """

    elites: EliteSettings = field(default_factory=EliteSettings)
    rounds: int = 6
    patience: int = 2
    fresh: int = 16
    steps: int = 60
    circuits: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePruning:
    """Edge pruning in one setting for every model and program.

    estimator: of the gradient. score, pathwise: the settings of each. kicks: of the score estimator's restarts.
    restarts:  further tries while no candidate was accepted, each with `patience` times the penalty before (with
               `pathwise`, and the learning rate), but no less than `gentlest` times the first.
    budget:    runs of whole candidates, at most.
    dtype:     training runs in it; candidates are always judged in the task's own.
    """

    estimator: Literal["score", "pathwise"] = "score"
    score: ScoreSettings = field(default_factory=ScoreSettings)
    pathwise: PathwiseSettings = field(default_factory=PathwiseSettings)
    kicks: Kicks = field(default_factory=Kicks)
    restarts: int = 5
    patience: float = 0.5
    gentlest: float = 0.125
    budget: int = 8
    dtype: torch.dtype = torch.float32

    def __call__(self, task: Task) -> Discovery:
        run = _Run(self, task)
        for attempt in range(self.restarts + 1):
            run.consider(*run.train(max(self.patience**attempt, self.gentlest)))
            if run.accepted:
                break
        if run.accepted and self.estimator == "score":
            run.kick()
        assert run.circuit is not None
        return Discovery(
            circuit=run.circuit, scores=run.scores, steps=run.steps, hard_evaluations=run.hard_evaluations
        )


class _Run:
    """One call: the best candidate so far, and what it cost."""

    def __init__(self, method: EdgePruning, task: Task) -> None:
        self.method, self.task = method, task
        self.training = task.to(method.dtype)
        generator = torch.Generator().manual_seed(task.seed)
        self.pool = ItemPool(len(task.items), method.score.fresh, method.score.kept, generator)
        self.circuit: Circuit | None = None
        self.scores: Tensor | None = None
        self.rank: tuple[float, int] = (math.inf, 0)
        self.steps = self.hard_evaluations = 0

    @property
    def accepted(self) -> bool:
        return self.rank[0] <= self.task.outcome.limit

    def consider(self, circuit: Circuit, scores: Tensor) -> bool:
        """Runs a whole candidate over the whole list; keeps it if it is the best yet."""
        worst = float(self.task.deviations(circuit).max())
        self.hard_evaluations += 1
        rank = (max(worst, self.task.outcome.limit), len(circuit))
        if self.circuit is not None and rank >= self.rank:
            return False
        self.circuit, self.scores, self.rank = circuit, scores, rank
        return True

    def train(self, gentler: float) -> tuple[Circuit, Tensor]:
        """A candidate from all edges, and its edge scores. `gentler` multiplies the penalty."""
        return self._by_score(gentler) if self.method.estimator == "score" else self._pathwise(gentler)

    def _by_score(self, gentler: float) -> tuple[Circuit, Tensor]:
        method, task = self.method, self.training
        settings = replace(method.score, penalty=method.score.penalty * gentler)
        start = torch.full((1, task.graph.n_edges), settings.start)
        state = train_by_score(task, settings, start, self.pool)
        self.steps += state.steps
        return _circuit(task, state.open()[0]), state.log_alpha[0]

    def _pathwise(self, gentler: float) -> tuple[Circuit, Tensor]:
        method, task = self.method, self.training
        settings = method.pathwise.slower(gentler)
        trained = train_pathwise(task, settings, self.pool.generator)
        self.steps += trained.steps
        scores = trained.keep_scores(task)
        if settings.target is None:
            return _circuit(task, scores > 0), scores
        keep = round((1 - settings.target.edge_sparsity) * task.graph.n_edges)
        top = torch.zeros_like(scores, dtype=torch.bool)
        top[scores.topk(keep).indices] = True
        return _circuit(task, top), scores

    def kick(self) -> None:
        """Rounds of restarts near the best candidate, until they find no smaller ones."""
        kicks, failed = self.method.kicks, 0
        for _ in range(kicks.rounds):
            found = [self._restart(outside) for outside in (False, True)]
            failed = 0 if any(found) else failed + 1
            if failed >= kicks.patience:
                return

    def _restart(self, outside: bool) -> bool:
        """Whether a restart found a better circuit."""
        kicks, task = self.method.kicks, self.training
        if not self.circuit or self.hard_evaluations >= self.method.budget:
            return False
        pool = self.pool.recalling(kicks.fresh)
        known = torch.tensor([edge in self.circuit for edge in task.graph.edges])
        followed = train_by_elites(task, kicks.elites, known, pool, outside=outside)
        self.steps += followed.steps
        if (p := followed.p) is None:
            return False
        start = torch.where(known & (p > 0.5), self.method.score.sure, p.logit())
        start = torch.where(p < 0.05, -math.inf, start)
        settings = replace(self.method.score, steps=kicks.steps, circuits=kicks.circuits)
        state = train_by_score(task, settings, start[None], pool)
        self.steps += state.steps
        self.pool = replace(self.pool, remembered=pool.remembered)
        circuit = _circuit(task, state.open()[0])
        return len(circuit) < len(self.circuit) and self.consider(circuit, state.log_alpha[0])


def _circuit(task: Task, on: Tensor) -> Circuit:
    """The open edges, without those that no open path joins to `out`."""
    return to_circuit(task.graph, from_edge_values(task.graph, on[None].float())[0] > 0).connected()
