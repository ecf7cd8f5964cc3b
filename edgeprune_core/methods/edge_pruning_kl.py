"""Edge pruning of trained models: hard-concrete gates, KL in nats, and a price for each edge.

After "Finding Transformer Circuits with Edge Pruning" (Bhaskar et al. 2024, arXiv 2406.16778, section 3): gates on the
edges, sampled anew in every step, are trained by the pathwise gradient so that the outputs stay near the model's:

    KL(model || pruned), in nats, its mean over circuits and items   +   penalty * E[number of edges]

(numerical outputs: the bounded squared distance instead of KL, `metrics/divergence.py`.)

We differ: by default the price is per edge instead of a Lagrangian towards a sparsity, so that what an edge must be worth,
in nats, is the setting and the size follows; several circuits are sampled a step, in strata. With `target`, the
objective is theirs (`lagrangian.py`), and the circuit has as many edges as the target leaves. Node masks are theirs
too: a gate on each writer, multiplied with those of its edges. Afterwards edges are ranked by their log-alphas (or
their writer's, whichever is less), and the circuit is the shortest head of that ranking within the task's tolerance, as
for every method here that ranks (`ranked.py`); or as many edges as are asked for.

`EdgePruning(estimator="pathwise")` is made for compiled models: its divergences are of one-hot scores, and say nothing
of logits. The bounded one, 1 - exp(-squared distance), is 1 wherever logits move by more than two or so, and flat there;
the other sharpens scores that differ by 1 into a distribution, which logits are already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.engine import live_writers
from edgeprune_core.mask import from_edge_values
from edgeprune_core.methods.sparsity_penalty import Price, SparsityTarget
from edgeprune_core.methods.top_edges import fewest_edges, top_edges
from edgeprune_core.metrics.divergence import bounded, kl, sharp_temperature
from edgeprune_core.task import Task
from edgeprune_core.training.checkpoint import finished
from edgeprune_core.training.gates import HardConcrete, stratified_uniform
from edgeprune_core.training.item_pool import ItemPool


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePruningKl:
    """Gates trained for KL in nats, then ranked.

    penalty:       in nats an edge. node_penalty: in nats a writer; None trains no node gates.
    target:        sparsities to be reached instead of paying these prices.
    n_edges:       how many to keep, before dangling ones are dropped; None: the target's, or the fewest within the tolerance.
    steps:         of Adam. learning_rate: its, for log-alphas; it falls to a tenth over the last third of the steps.
    circuits:      sampled in each step. fresh, kept: items of a step, at random and of those that failed before.
    start:         log-alpha of every gate at first.
    dtype:         the model runs in it; gates are in float32 at least, since half of it would round small steps away.
                   In bfloat16 the circuit is that of float32 where the model survives being rounded, with every edge kept:
                   `notes["rounded"]` says how far its outputs move, in units of the criterion. Planted models whose
                   stream is turned do not survive: their attention scores are of order 100, and err by more than 0.1.
    """

    penalty: float = 0.001
    node_penalty: float | None = None
    target: SparsityTarget | None = None
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
        return finished(self.begin(task))

    def begin(self, task: Task) -> KlTraining:
        return KlTraining(self, task)

    @property
    def wants_nodes(self) -> bool:
        return self.node_penalty is not None if self.target is None else self.target.nodes is not None

    def edges_wanted(self, n_edges: int) -> int | None:
        """Of so many; None: as few as do."""
        if self.n_edges is not None or self.target is None:
            return self.n_edges
        return round((1 - self.target.edges) * n_edges)

    def _divergence(self, task: Task, gates: Float[Tensor, "circuit edge"], pool: ItemPool) -> Tensor:
        rows = pool.draw()
        items = task.items[rows]
        mask = from_edge_values(task.graph, gates)
        got = task.outputs(mask, items, live=live_writers(mask, task.graph)).to(gates.dtype)
        loss, wrong = self.judged(task, got, items)
        pool.learn(rows, wrong)
        return loss

    def judged(
        self, task: Task, got: Float[Tensor, "circuit item place d_out"], items: Int[Tensor, "item 2"]
    ) -> tuple[Tensor, Bool[Tensor, "circuit item"]]:
        """The divergence, its mean over circuits and scored positions; and on which items each circuit fails."""
        want, scored = task.reference[items[:, 0]].to(got.dtype), task.scored[items[:, 0]]
        with torch.no_grad():
            off = task.outcome.deviation(got, want.expand_as(got), scored.expand(got.shape[:-1]))
        wrong, outcome = (off > task.outcome.limit).cpu(), task.outcome
        if not outcome.categorical:
            return bounded(got, want, scored, outcome.scale).mean(), wrong
        temperature = 1.0 if outcome.criterion == "kl" else sharp_temperature(want.shape[-1])
        return kl(got, want, scored, temperature).mean(), wrong


class KlTraining:
    """The method at work on a task (`checkpoint.Training`). loss: of the last step, its price included."""

    loss: Tensor

    def __init__(self, method: EdgePruningKl, task: Task) -> None:
        self.method, self.asked, self.task = method, task, task.to(method.dtype)
        self.taken = 0
        self.generator = torch.Generator().manual_seed(task.seed)
        self.pool = ItemPool(len(task.items), method.fresh, method.kept, self.generator)
        self.edges = self._gates(task.graph.n_edges)
        self.nodes = self._gates(len(task.graph.writers)) if method.wants_nodes else None
        self.params = [self.edges] if self.nodes is None else [self.edges, self.nodes]
        self.optimiser = torch.optim.Adam(self.params, lr=method.learning_rate)
        for p in self.params:  # as Adam's first step would, so that the state has the same names at any time
            zeros = {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
            self.optimiser.state[p] = {"step": torch.tensor(0.0), **zeros}
        self.writer_of_edge = torch.tensor(
            [edge.writer.index for edge in task.graph.edges], device=self.edges.device
        )
        self.price = Price(
            method.gate,
            self.writer_of_edge,
            per_edge=method.penalty,
            per_node=method.node_penalty or 0.0,
            target=method.target,
            dtype=self.edges.dtype,
        )

    def _gates(self, n: int) -> Tensor:
        dtype = torch.promote_types(self.task.model.dtype, torch.float32)
        return torch.full(
            (n,), self.method.start, dtype=dtype, device=self.task.model.device, requires_grad=True
        )

    @property
    def done(self) -> bool:
        return self.taken >= self.method.steps

    def advance(self) -> None:
        method = self.method
        for group in self.optimiser.param_groups:
            group["lr"] = method.learning_rate * min(1.0, 0.1 + 2.7 * (1 - self.taken / method.steps))
        self.optimiser.zero_grad()
        gates = self._sample(self.edges)
        if self.nodes is not None:
            gates = gates * self._sample(self.nodes)[:, self.writer_of_edge]
        self._back(gates)
        self.optimiser.step()
        self.price.ascend()
        self.taken += 1

    def _back(self, gates: Float[Tensor, "circuit edge"]) -> None:
        """Leaves the gradient of divergence and price in the parameters."""
        loss = self.method._divergence(self.task, gates, self.pool)
        loss = loss + self.price(self.edges, self.nodes, self.taken)
        loss.backward()
        self.loss = loss.detach()

    def _accepts(self, circuit: Circuit) -> bool:
        return self.asked.accepts(circuit)

    def _sample(self, log_alpha: Tensor) -> Float[Tensor, "circuit gate"]:
        u = stratified_uniform(
            self.method.circuits, log_alpha.shape, self.generator, dtype=log_alpha.dtype, device=log_alpha.device
        )  # fmt: skip
        return self.method.gate.sample(log_alpha, u)

    def scores(self) -> Float[Tensor, " edge"]:
        """Larger is kept longer: an edge is as sure as the less sure of its own and its writer's gate."""
        edges = self.edges.detach()
        return edges if self.nodes is None else torch.minimum(edges, self.nodes.detach()[self.writer_of_edge])

    def discovery(self) -> Discovery:
        method, scores = self.method, self.scores()
        wanted = method.edges_wanted(len(scores))
        if wanted is not None:
            circuit, tried = top_edges(self.asked, scores, wanted), 0
        else:
            circuit, tried = fewest_edges(self.asked, scores, accepts=self._accepts)
        return Discovery(
            circuit=circuit, scores=scores, steps=self.taken, hard_evaluations=tried, notes=self._notes()
        )

    @torch.no_grad()
    def _notes(self) -> dict[str, float]:
        of_edges, of_nodes = self.price.sparsity(self.edges, self.nodes)
        told: dict[str, float] = {
            "open_gates": int((self.scores() > 0).sum()),
            "edge_sparsity": float(of_edges),
        }
        if of_nodes is not None:
            told["node_sparsity"] = float(of_nodes)
        if torch.finfo(self.task.model.dtype).bits < 32:
            told["rounded"] = self._rounded()
        return told

    def _rounded(self) -> float:
        """How far the unpruned model's own outputs move in the precision it was run in, at worst."""
        asked = self.asked
        off = asked.outcome.deviation(
            self.task.reference.to(asked.model.dtype), asked.reference, asked.scored
        )
        return float(off.max())

    # What further steps depend on -------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        found = {
            "steps": torch.tensor(self.taken),
            "generator": self.generator.get_state(),
            "pool.hard": self.pool.hard,
            "pool.remembered": self.pool.remembered,
            "multipliers": self.price.multipliers.detach(),
        }
        for name, p in zip(("edges", "nodes"), self.params, strict=False):
            found[name] = p.detach()
            found |= {f"{name}.{part}": t for part, t in self.optimiser.state[p].items()}
        return found

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.taken = int(tensors["steps"])
        self.generator.set_state(tensors["generator"])
        self.pool.hard, self.pool.remembered = tensors["pool.hard"], tensors["pool.remembered"]
        self.price.multipliers.copy_(tensors["multipliers"])
        for name, p in zip(("edges", "nodes"), self.params, strict=False):
            p.copy_(tensors[name])
            for part, own in self.optimiser.state[p].items():
                own.copy_(tensors[f"{name}.{part}"])
