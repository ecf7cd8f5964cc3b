"""The pathwise trainer takes the steps that this file writes out by hand.

Noise, items and outputs are the same. The rest is written out: mask variables as in Louizos et al. 2018 (eqs. 10-12), the
mean divergence, both prices of `training/pathwise.py`,

    fewest:  penalty * sum_e P(z_e > 0)
    target:  l1 (s - t_k) + l2 (s - t_k)^2, of edges, and of writers where node gates are trained,
             s = 1 - mean of P(kept), t_k = t min(1, k / warm-up) at step k = 0, 1, ...; l <- l + rate * dprice/dl,

and Adam (Kingma & Ba 2015, Algorithm 1) without weight decay, with the gradients of this step only. An edge with a node gate
is kept with the product of both probabilities, and its score is the lower log-alpha of the two. With a target, the circuit is the
share 1 - t of edges with the largest scores.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.mask import from_edge_values
from edgeprune_core.methods import EdgePruning
from edgeprune_core.task import Task
from edgeprune_core.training.gates import stratified_uniform
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.pathwise import PathwiseSettings, Target, train_pathwise
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.subjects import Subject, generator_of, is_smooth

TEMPERATURE, LOW, HIGH, MARGIN = 2 / 3, -0.1, 1.1, 1e-6
DOUBT = 0.01  # of the sharpened model
CLOSE = 1e-5  # of log-alphas: far above rounding, far below one step of 0.05
TARGET = Target(edge_sparsity=0.7, node_sparsity=0.4, warm_up=3, multiplier_rate=0.5)
SETTINGS = (
    PathwiseSettings(steps=5, circuits=4, start=1.0),
    PathwiseSettings(steps=6, circuits=4, start=1.0, target=TARGET),
)


def pathwise_by_hand(subject: Subject, seed: int) -> Violation | None:
    task = subject.tasks["resample"]
    for settings in SETTINGS:
        found = train_pathwise(task, settings, generator_of(seed))
        edges, nodes = _trained(task, settings, generator_of(seed))
        pairs = [("edge", found.log_alpha, edges)]
        if found.node_log_alpha is not None and nodes is not None:
            pairs.append(("node", found.node_log_alpha, nodes))
        for kind, got, want in pairs:
            if not (off := float((got - want).abs().max())) <= CLOSE:
                how = "fewest" if settings.target is None else "target"
                return Violation(
                    f"log-alphas of {kind} gates, {how}", f"off by {off:.2g}", f"at most {CLOSE:g}"
                )
        if nodes is not None:
            sure = torch.stack([edges, nodes[_writers(task)]]).amin(0)
            if not (found.keep_scores(task) - sure).abs().max() <= CLOSE:
                return Violation("scores with node gates", "another", "the less sure of an edge's two gates")
    return _share_kept(task)


def _share_kept(task: Task) -> Violation | None:
    method = EdgePruning(estimator="pathwise", pathwise=SETTINGS[1], restarts=0)
    found, n = method(task), task.graph.n_edges
    assert found.scores is not None
    least = found.scores.sort(descending=True).values[round((1 - TARGET.edge_sparsity) * n) - 1]
    few, many = (_circuit(task, on).connected() for on in (found.scores > least, found.scores >= least))
    if not few.edges <= found.circuit.edges <= many.edges:
        return Violation("edges kept at a target", len(found.circuit), f"{len(few)} to {len(many)}")
    return None


def _circuit(task: Task, on: Tensor) -> Circuit:
    return Circuit.of(task.graph, (e for e, kept in zip(task.graph.edges, on.tolist(), strict=True) if kept))


def _writers(task: Task) -> Tensor:
    return torch.tensor([edge.writer.index for edge in task.graph.edges])


def _trained(
    task: Task, settings: PathwiseSettings, generator: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    target, n = settings.target, task.graph.n_edges
    sizes = [n] if target is None else [n, len(task.graph.writers)]
    values = [torch.full((k,), settings.start, dtype=torch.float64) for k in sizes]
    adam = [_Adam(settings.learning_rate) for _ in values]
    pool = ItemPool(len(task.items), settings.fresh, settings.kept, generator)
    multipliers = [0.0] * 4
    for step in range(settings.steps):
        leaves = [value.clone().requires_grad_() for value in values]
        gates = [
            _gate(x, stratified_uniform(settings.circuits, x.shape, generator, dtype=x.dtype)) for x in leaves
        ]
        z = gates[0] if target is None else gates[0] * gates[1][:, _writers(task)]
        rows = pool.draw()
        loss, wrong = _loss(task, z, rows, target)
        pool.learn(rows, wrong)
        kept = [1 - torch.sigmoid(TEMPERATURE * math.log(-LOW / HIGH) - x) for x in leaves]
        if target is None:
            loss = loss + settings.penalty * kept[0].sum()
        else:
            assert target.node_sparsity is not None
            rise = min(1.0, step / target.warm_up)
            edges = 1 - (kept[0] * kept[1][_writers(task)]).mean() - rise * target.edge_sparsity
            nodes = 1 - kept[1].mean() - rise * target.node_sparsity
            terms = [edges, edges**2, nodes, nodes**2]
            loss = loss + sum(m * term for m, term in zip(multipliers, terms, strict=True))
            multipliers = [
                m + target.multiplier_rate * float(term.detach())
                for m, term in zip(multipliers, terms, strict=True)
            ]
        slopes = torch.autograd.grad(loss, leaves)
        values = [a.step(value, slope) for a, value, slope in zip(adam, values, slopes, strict=True)]
    return values[0], None if target is None else values[1]


def _gate(log_alpha: Tensor, u: Tensor) -> Tensor:
    u = u.clamp(MARGIN, 1 - MARGIN)
    s = torch.sigmoid((u.log() - (1 - u).log() + log_alpha) / TEMPERATURE)
    return (s * (HIGH - LOW) + LOW).clamp(0, 1)


def _loss(task: Task, z: Tensor, rows: Tensor, target: Target | None) -> tuple[Tensor, Tensor]:
    items = task.items[rows]
    got = task.outputs(from_edge_values(task.graph, z), items)
    want, scored = task.reference[items[:, 0]], task.scored[items[:, 0]]
    with torch.no_grad():
        off = task.outcome.deviation(got, want.expand_as(got), scored.expand(got.shape[:-1]))
    if target is None:
        terms = 1 - torch.exp(-((got - want) ** 2).sum(-1))
    else:
        sharp = math.log((want.shape[-1] - 1) * (1 - DOUBT) / DOUBT)
        p, q = (want * sharp).log_softmax(-1), (got * sharp).log_softmax(-1)
        terms = (p.exp() * (p - q)).sum(-1)
    return terms[:, scored].mean(), off > task.outcome.limit


class _Adam:
    def __init__(self, rate: float) -> None:
        self.rate, self.t = rate, 0
        self.first = self.second = torch.zeros(())

    def step(self, value: Tensor, slope: Tensor) -> Tensor:
        self.t += 1
        self.first = 0.9 * self.first + 0.1 * slope
        self.second = 0.999 * self.second + 0.001 * slope**2
        first, second = self.first / (1 - 0.9**self.t), self.second / (1 - 0.999**self.t)
        return value - self.rate * first / (second**0.5 + 1e-8)


PATHWISE_BY_HAND = Invariant(
    name="pathwise_by_hand",
    statement="the pathwise trainer takes the steps of its objective, its mask variables and Adam, computed by hand",
    check=pathwise_by_hand,
    applies=is_smooth,
)
