"""Hard-concrete gates, trained by the pathwise (reparameterised) gradient with Adam.

Bhaskar et al. 2024 (arXiv 2406.16778), section 3: gates z ~ HardConcrete(log_alpha) multiply the edges, and the
divergence from the full model is minimised together with a price for the expected number of edges. Two prices:

    fewest:  loss + penalty * E[number of edges]
    target:  loss + l1 (s - t) + l2 (s - t)^2, s the expected sparsity of edges and t its target, which rises
             linearly over `warm_up` steps; l1 and l2 *ascend* (the paper's eq. 4). With node masks, the same
             again for the sparsity of writers, and an edge counts as kept where its writer's gate is open too.

Where a model's arithmetic is saturated (sharp attention, steps made of two ReLUs), an output as a function of one
gate is a staircase: its derivative is zero but for narrow ramps, and the gradient of the mean loss, though unbiased,
sits in rare spikes. A needed edge whose ramp no sample hit falls in lock step with those that are not needed, and a
loss that is largest half-way even pulls it down. What helps is samples: many circuits on few items each, since a ramp
is hit by a gate and not by an item, and small steps, since Adam's mean is over steps. So training starts fast, and
each restart is slower than the one before.

We differ: gates belong to legal edges only, so no sparsity counts what cannot exist; several circuits are sampled
a step, in strata; there is no weight decay on log-alphas or multipliers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.engine import live_writers
from edgeprune_core.mask import from_edge_values
from edgeprune_core.metrics.divergence import bounded, kl, sharp_temperature
from edgeprune_core.task import Task
from edgeprune_core.training.gates import HardConcrete, stratified_uniform
from edgeprune_core.training.item_pool import ItemPool


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The paper's objective. Sparsities are fractions of edges (of writers) cut.

    edge_sparsity: aimed at; node_sparsity: None trains no node gates.
    warm_up:       steps over which the target rises from 0. multiplier_rate: of l1 and l2's ascent.
    kl:            the divergence is KL (categorical outputs), as in the paper; else the bounded one.
    """

    edge_sparsity: float = 0.9
    node_sparsity: float | None = None
    warm_up: int = 200
    multiplier_rate: float = 0.1
    kl: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PathwiseSettings:
    """Settings of the pathwise estimator; none depends on the model or program.

    steps, circuits, fresh, kept: as for the score-function estimator.
    start:         log-alpha of every gate at first.
    learning_rate: Adam's, for log-alphas.
    penalty:       of an expected edge, in units of the loss (in [0, 1]); the `fewest` objective's.
    target:        the paper's objective instead of `fewest`.
    """

    steps: int = 300
    circuits: int = 64
    fresh: int = 2
    kept: int = 2
    start: float = 4.0
    learning_rate: float = 0.05
    penalty: float = 0.01
    gate: HardConcrete = field(default_factory=HardConcrete)
    target: Target | None = None

    def slower(self, factor: float) -> PathwiseSettings:
        """Of a restart: `factor` times the penalty and the rate, with the more circuits and steps."""
        more = factor ** (-2 / 3)
        return replace(
            self,
            steps=round(self.steps * more),
            circuits=round(self.circuits * more),
            learning_rate=self.learning_rate * factor,
            penalty=self.penalty * factor,
        )


@dataclass(frozen=True, eq=False)
class Trained:
    """log_alpha: one an edge. node_log_alpha: one a writer, where node masks were trained."""

    log_alpha: Float[Tensor, " edge"]
    node_log_alpha: Float[Tensor, " writer"] | None
    steps: int

    def keep_scores(self, task: Task) -> Float[Tensor, " edge"]:
        """Larger is kept longer: an edge is as sure as the less sure of its own and its writer's gate."""
        if self.node_log_alpha is None:
            return self.log_alpha
        return torch.minimum(self.log_alpha, self.node_log_alpha[_writer_of_edge(task)])


def train_pathwise(task: Task, settings: PathwiseSettings, generator: torch.Generator) -> Trained:
    """Gates of a task after all steps."""
    log_alpha = _gates(task, settings, task.graph.n_edges)
    wants_nodes = settings.target is not None and settings.target.node_sparsity is not None
    nodes = _gates(task, settings, len(task.graph.writers)) if wants_nodes else None
    params = [log_alpha] if nodes is None else [log_alpha, nodes]
    optimiser = torch.optim.Adam(params, lr=settings.learning_rate)
    price = _Price(task, settings)
    pool = ItemPool(len(task.items), settings.fresh, settings.kept, generator)
    for step in range(settings.steps):
        optimiser.zero_grad()
        gates = _sample(task, settings, log_alpha, nodes, generator)
        rows = pool.draw()
        loss, wrong = _loss(task, settings, gates, rows)
        pool.learn(rows, wrong.cpu())
        (loss + price(log_alpha, nodes, step)).backward()
        optimiser.step()
        price.ascend()
    return Trained(log_alpha.detach(), None if nodes is None else nodes.detach(), settings.steps)


def _gates(task: Task, settings: PathwiseSettings, n: int) -> Tensor:
    """On the model's device, in single precision at least: half of it would round small steps away."""
    dtype = torch.promote_types(task.model.dtype, torch.float32)
    return torch.full((n,), settings.start, dtype=dtype, device=task.model.device).requires_grad_()


def _sample(
    task: Task, settings: PathwiseSettings, log_alpha: Tensor, nodes: Tensor | None, generator
) -> Tensor:
    u = _noise(log_alpha, settings.circuits, generator)
    gates = settings.gate.sample(log_alpha, u)
    if nodes is None:
        return gates
    v = _noise(nodes, settings.circuits, generator)
    return gates * settings.gate.sample(nodes, v)[:, _writer_of_edge(task)]


def _noise(like: Tensor, circuits: int, generator: torch.Generator) -> Tensor:
    return stratified_uniform(circuits, like.shape, generator, dtype=like.dtype, device=like.device)


def _writer_of_edge(task: Task) -> Tensor:
    return torch.tensor([edge.writer.index for edge in task.graph.edges], device=task.model.device)


def _loss(task: Task, settings: PathwiseSettings, gates: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    items = task.items[rows]
    clean = items[:, 0]
    mask = from_edge_values(task.graph, gates)
    got = task.outputs(mask, items, live=live_writers(mask, task.graph)).to(gates.dtype)
    want, scored = task.reference[clean].to(gates.dtype), task.scored[clean]
    outcome = task.outcome
    with torch.no_grad():
        off = outcome.deviation(got, want.expand_as(got), scored.expand(got.shape[:-1]))
    if settings.target is not None and settings.target.kl and outcome.categorical:
        loss = kl(got, want, scored, sharp_temperature(want.shape[-1]))
    else:
        loss = bounded(got, want, scored, outcome.scale)
    return loss.mean(), off > outcome.limit


class _Price:
    """What the expected number of edges costs."""

    def __init__(self, task: Task, settings: PathwiseSettings) -> None:
        self.settings, self.task = settings, task
        self.multipliers = torch.zeros(4, device=task.model.device, requires_grad=True)
        self.writer_of_edge = _writer_of_edge(task)

    def __call__(self, log_alpha: Tensor, nodes: Tensor | None, step: int) -> Tensor:
        gate, target = self.settings.gate, self.settings.target
        kept = gate.p_kept(log_alpha)
        if target is None:
            return self.settings.penalty * kept.sum()
        if nodes is not None:
            kept = kept * gate.p_kept(nodes)[self.writer_of_edge]
        rise = min(1.0, step / max(1, target.warm_up))
        price = self._lagrangian(1 - kept.mean() - rise * target.edge_sparsity, self.multipliers[:2])
        if nodes is not None:
            assert target.node_sparsity is not None
            sparsity = 1 - gate.p_kept(nodes).mean()
            price = price + self._lagrangian(sparsity - rise * target.node_sparsity, self.multipliers[2:])
        return price

    @staticmethod
    def _lagrangian(excess: Tensor, multipliers: Tensor) -> Tensor:
        return multipliers[0] * excess + multipliers[1] * excess.square()

    def ascend(self) -> None:
        """Gradient *ascent* on the multipliers."""
        if self.settings.target is not None:
            with torch.no_grad():
                assert self.multipliers.grad is not None
                self.multipliers += self.settings.target.multiplier_rate * self.multipliers.grad
            self.multipliers.grad = None
