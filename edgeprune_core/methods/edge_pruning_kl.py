"""Edge pruning of trained models: hard-concrete gates, KL in nats, and a price for each edge.

After "Finding Transformer Circuits with Edge Pruning" (Bhaskar et al. 2024, arXiv 2406.16778, section 3): gates on the
edges, sampled anew in every step, are trained by the pathwise gradient so that the outputs stay near the model's:

    KL(model || pruned), in nats, its mean over circuits and items   +   penalty * E[number of edges]

(numerical outputs: the bounded squared distance instead of KL, `metrics/divergence.py`.)

We differ: the price is per edge instead of a Lagrangian towards a sparsity, so that what an edge must be worth, in nats,
is the setting and the size follows; several circuits are sampled a step, in strata; there are no node masks. Afterwards
edges are ranked by their log-alphas, and the circuit is the shortest head of that ranking within the task's tolerance, as
for every method here that ranks (`ranked.py`); or as many edges as are asked for.

`EdgePruning(estimator="pathwise")` is made for compiled models: its divergences are of one-hot scores, and say nothing
of logits. The bounded one, 1 - exp(-squared distance), is 1 wherever logits move by more than two or so, and flat there;
the other sharpens scores that differ by 1 into a distribution, which logits are already.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.discovery import Discovery
from edgeprune_core.engine import live_writers
from edgeprune_core.mask import from_edge_values
from edgeprune_core.methods.ranked import fewest_edges, top_edges
from edgeprune_core.metrics.divergence import bounded, kl, sharp_temperature
from edgeprune_core.task import Task
from edgeprune_core.training.gates import HardConcrete, stratified_uniform
from edgeprune_core.training.pool import ItemPool


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePruningKl:
    """Gates trained for KL in nats, then ranked.

    penalty:       in nats an edge.
    n_edges:       how many to keep, before dangling ones are dropped; None: the fewest within the tolerance.
    steps:         of Adam. learning_rate: its, for log-alphas; it falls to a tenth over the last third of the steps.
    circuits:      sampled in each step. fresh, kept: items of a step, at random and of those that failed before.
    start:         log-alpha of every gate at first. dtype: training runs in it.
    """

    penalty: float = 0.001
    n_edges: int | None = None
    steps: int = 400
    learning_rate: float = 0.1
    circuits: int = 16
    fresh: int = 3
    kept: int = 1
    start: float = 3.0
    gate: HardConcrete = field(default_factory=HardConcrete)
    dtype: torch.dtype = torch.float32

    def __call__(self, task: Task) -> Discovery:
        scores = self.trained(task.to(self.dtype))
        if self.n_edges is not None:
            return Discovery(circuit=top_edges(task, scores, self.n_edges), scores=scores, steps=self.steps)
        circuit, tried = fewest_edges(task, scores)
        return Discovery(
            circuit=circuit,
            scores=scores,
            steps=self.steps,
            hard_evaluations=tried,
            notes={"open_gates": int((scores > 0).sum())},
        )

    def trained(self, task: Task) -> Float[Tensor, " edge"]:
        """log-alphas after all steps."""
        generator = torch.Generator().manual_seed(task.seed)
        log_alpha = torch.full((task.graph.n_edges,), self.start, dtype=task.model.dtype, requires_grad=True)
        optimiser = torch.optim.Adam([log_alpha], lr=self.learning_rate)
        pool = ItemPool(len(task.items), self.fresh, self.kept, generator)
        for step in range(self.steps):
            for group in optimiser.param_groups:
                group["lr"] = self.learning_rate * min(1.0, 0.1 + 2.7 * (1 - step / self.steps))
            optimiser.zero_grad()
            u = stratified_uniform(self.circuits, log_alpha.shape, generator, dtype=log_alpha.dtype)
            loss = self._divergence(task, self.gate.sample(log_alpha, u), pool)
            (loss + self.penalty * self.gate.p_kept(log_alpha).sum()).backward()
            optimiser.step()
        return log_alpha.detach()

    def _divergence(self, task: Task, gates: Float[Tensor, "circuit edge"], pool: ItemPool) -> Tensor:
        rows = pool.draw()
        items = task.items[rows]
        mask = from_edge_values(task.graph, gates)
        got = task.outputs(mask, items, live=live_writers(mask, task.graph))
        want, scored = task.reference[items[:, 0]], task.scored[items[:, 0]]
        with torch.no_grad():
            off = task.outcome.deviation(got, want.expand_as(got), scored.expand(got.shape[:-1]))
        pool.learn(rows, off > task.outcome.limit)
        outcome = task.outcome
        if not outcome.categorical:
            return bounded(got, want, scored, outcome.scale).mean()
        temperature = 1.0 if outcome.criterion == "kl" else sharp_temperature(want.shape[-1])
        return kl(got, want, scored, temperature).mean()
