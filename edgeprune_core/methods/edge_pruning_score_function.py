"""Edge pruning with binary gates, trained by a score-function gradient: the default of the gate.

The objective of edge pruning (few edges, outputs near the model's) without a backward pass and without half-open gates,
which break the saturated arithmetic of compiled models: `training/score_function.py` derives it. The circuit is the gates
more likely open than closed. Where it is not accepted, training starts again with a lower penalty (`candidates.py`); where
it is, restarts near it look for a smaller one (`training/cross_entropy.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.mask import edge_flags
from edgeprune_core.methods.candidates import Candidates, Restarts, open_circuit
from edgeprune_core.task import Task
from edgeprune_core.training.cross_entropy import EliteSettings, train_by_elites
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.score_function import ScoreSettings, train_by_score


@dataclass(frozen=True, slots=True, kw_only=True)
class Kicks:
    """Restarts near an accepted circuit (`training/cross_entropy.py` derives them).

    *Drops* keep every gate outside the circuit closed, and are cheap; *routes* open them again. Training then continues
    from what either finds, as for the first circuit.

    rounds:   of a drop and a route each, at most. patience: consecutive rounds without a smaller circuit that end the search.
    fresh:    random items of a step, beside the remembered ones. steps, circuits: of the training that continues.
    """

    elites: EliteSettings = field(default_factory=EliteSettings)
    rounds: int = 6
    patience: int = 2
    fresh: int = 16
    steps: int = 60
    circuits: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePruningScoreFunction:
    """One setting for every model and program.

    score:    of the gradient estimator. kicks: of the restarts near an accepted circuit.
    restarts: while no candidate was accepted.
    budget:   runs of whole candidates, at most.
    dtype:    training runs in it; candidates are judged in the task's own.
    """

    score: ScoreSettings = field(default_factory=ScoreSettings)
    kicks: Kicks = field(default_factory=Kicks)
    restarts: Restarts = field(default_factory=Restarts)
    budget: int = 8
    dtype: torch.dtype = torch.float32

    def __call__(self, task: Task) -> Discovery:
        run = _Run(self, task)
        run.search(run.train, self.restarts)
        if run.accepted:
            run.kick()
        return run.discovery()


class _Run(Candidates):
    def __init__(self, method: EdgePruningScoreFunction, task: Task) -> None:
        super().__init__(task, method.dtype, budget=method.budget)
        self.method = method
        self.failed: set[bytes] = set()
        self.pool = ItemPool(len(task.items), method.score.fresh, method.score.kept, self.generator)

    def train(self, gentler: float) -> tuple[Circuit, Tensor]:
        """A candidate from all edges, and its edge scores. `gentler` multiplies the penalty."""
        settings = replace(self.method.score, penalty=self.method.score.penalty * gentler)
        return self._trained(settings, torch.full((1, self.task.graph.n_edges), settings.start), self.pool)

    def _trained(self, settings: ScoreSettings, start: Tensor, pool: ItemPool) -> tuple[Circuit, Tensor]:
        state = train_by_score(self.training, settings, start, pool)
        self.steps += state.steps
        return open_circuit(self.task, state.open()[0]), state.log_alpha[0]

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
        if not self.circuit or self.spent:
            return False
        pool = self.pool.recalling(kicks.fresh)
        known = edge_flags(self.circuit)
        followed = train_by_elites(task, kicks.elites, known, pool, self.failed, outside=outside)
        self.steps += followed.steps
        if (p := followed.p) is None:
            return False
        start = torch.where(known & (p > 0.5), self.method.score.sure, p.logit())
        start = torch.where(p < 0.05, -math.inf, start)
        settings = replace(self.method.score, steps=kicks.steps, circuits=kicks.circuits)
        circuit, scores = self._trained(settings, start[None], pool)
        self.pool = replace(self.pool, remembered=pool.remembered)
        return len(circuit) < len(self.circuit) and self.consider(circuit, scores)
