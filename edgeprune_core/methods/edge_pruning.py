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
from edgeprune_core.training.pathwise import PathwiseSettings, train_pathwise
from edgeprune_core.training.pool import ItemPool
from edgeprune_core.training.score import ScoreSettings, train_by_score


@dataclass(frozen=True, slots=True, kw_only=True)
class Kicks:
    """Restarts from the neighbourhood of an accepted circuit, many at once along the circuit axis.

    Training from all edges ends where no edge can go by itself, which need not be a smallest circuit: paths that
    cancel go only together, and a shorter way may be shut by an edge of the longer one. Each chain starts with
    every gate open again (the circuit's at `sure`, the others at even odds), but for a few random ones of the
    circuit, closed at -`sure`.

    chains: restarts a round. closed: gates closed in each, on average. rounds: while they find smaller circuits.
    steps, circuits, items: of each chain's training. sure: see above; ok_share: of a chain worth a look.
    """

    chains: int = 8
    closed: float = 2.0
    rounds: int = 3
    steps: int = 60
    circuits: int = 16
    items: int = 8
    sure: float = 3.0
    ok_share: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePruning:
    """Edge pruning in one setting for every model and program.

    estimator: of the gradient. score, pathwise: the settings of each. kicks: of the score estimator's restarts.
    restarts:  further tries while no candidate was accepted, each with `patience` times the penalty before.
    budget:    runs of whole candidates, at most.
    dtype:     training runs in it; candidates are always judged in the task's own.
    """

    estimator: Literal["score", "pathwise"] = "score"
    score: ScoreSettings = field(default_factory=ScoreSettings)
    pathwise: PathwiseSettings = field(default_factory=PathwiseSettings)
    kicks: Kicks = field(default_factory=Kicks)
    restarts: int = 3
    patience: float = 0.5
    budget: int = 8
    dtype: torch.dtype = torch.float32

    def __call__(self, task: Task) -> Discovery:
        run = _Run(self, task)
        for attempt in range(self.restarts + 1):
            run.consider(*run.train(self.patience**attempt))
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
        settings = replace(method.pathwise, penalty=method.pathwise.penalty * gentler)
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
        """Rounds of restarts near the best candidate, while they find smaller ones."""
        kicks, budget = self.method.kicks, self.method.budget
        settings = replace(self.method.score, steps=kicks.steps, circuits=kicks.circuits)
        pool = replace(
            self.pool, fresh=kicks.items // 2, kept=kicks.items // 2, hard=self.pool.hard[: kicks.items // 2]
        )
        for _ in range(kicks.rounds):
            if not self.circuit or self.hard_evaluations >= budget:
                return
            state = train_by_score(self.training, settings, self._kicked(), pool)
            self.steps += state.steps
            found = {}
            for chain, on in enumerate(state.open()):
                circuit = _circuit(self.task, on)
                if state.ok_share[chain] >= kicks.ok_share and len(circuit) < len(self.circuit):
                    found[circuit] = state.log_alpha[chain]
            smaller = sorted(found, key=lambda c: (len(c), c.texts))[: budget - self.hard_evaluations]
            if not any(self.consider(circuit, found[circuit]) for circuit in smaller):
                return

    def _kicked(self) -> Tensor:
        """Where each chain starts: `chain edge`."""
        kicks, graph = self.method.kicks, self.task.graph
        assert self.circuit is not None
        mine = torch.tensor([edge in self.circuit for edge in graph.edges])
        shape = (kicks.chains, graph.n_edges)
        shut = torch.rand(shape, generator=self.pool.generator) < kicks.closed / len(self.circuit)
        start = torch.where(mine, torch.tensor(kicks.sure), torch.tensor(0.0)).expand(shape)
        return torch.where(shut & mine, -kicks.sure, start)


def _circuit(task: Task, on: Tensor) -> Circuit:
    """The open edges, without those that no open path joins to `out`."""
    return to_circuit(task.graph, from_edge_values(task.graph, on[None].float())[0] > 0).connected()
