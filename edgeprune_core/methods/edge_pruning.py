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

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.mask import from_edge_values, to_circuit
from edgeprune_core.task import Task
from edgeprune_core.training.pathwise import PathwiseSettings, train_pathwise
from edgeprune_core.training.score import ScoreSettings, train_by_score


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePruning:
    """Edge pruning in one setting for every model and program.

    estimator: of the gradient. score, pathwise: the settings of each.
    restarts:  further tries while no candidate was accepted, each with `patience` times the penalty before.
    dtype:     training runs in it; candidates are always judged in the task's own.
    """

    estimator: Literal["score", "pathwise"] = "score"
    score: ScoreSettings = field(default_factory=ScoreSettings)
    pathwise: PathwiseSettings = field(default_factory=PathwiseSettings)
    restarts: int = 3
    patience: float = 0.5
    dtype: torch.dtype = torch.float32

    def __call__(self, task: Task) -> Discovery:
        generator = torch.Generator().manual_seed(task.seed)
        training = task.to(self.dtype)
        best: tuple[float, int] | None = None
        evaluations = steps = 0
        for attempt in range(self.restarts + 1):
            circuit, scores, took = self._train(training, generator, self.patience**attempt)
            steps += took
            worst = float(task.deviations(circuit).max())
            evaluations += 1
            rank = (max(worst, task.outcome.limit), len(circuit))
            if best is None or rank < best:
                best, found, kept = rank, circuit, scores
            if worst <= task.outcome.limit:
                break
        return Discovery(circuit=found, scores=kept, steps=steps, hard_evaluations=evaluations)

    def _train(self, task: Task, generator: torch.Generator, gentler: float) -> tuple[Circuit, Tensor, int]:
        """A candidate, its edge scores, and the steps it took."""
        if self.estimator == "score":
            state = train_by_score(task, replace(self.score, penalty=self.score.penalty * gentler), generator)
            return _circuit(task, state.open()), state.log_alpha, state.steps
        settings = replace(self.pathwise, penalty=self.pathwise.penalty * gentler)
        trained = train_pathwise(task, settings, generator)
        scores = trained.keep_scores(task)
        if settings.target is None:
            return _circuit(task, scores > 0), scores, trained.steps
        keep = round((1 - settings.target.edge_sparsity) * task.graph.n_edges)
        top = torch.zeros_like(scores, dtype=torch.bool)
        top[scores.topk(keep).indices] = True
        return _circuit(task, top), scores, trained.steps


def _circuit(task: Task, on: Tensor) -> Circuit:
    """The open edges, without those that no open path joins to `out`."""
    return to_circuit(task.graph, from_edge_values(task.graph, on[None].float())[0] > 0).connected()
