"""The pathwise trainer takes the steps that this file writes out by hand.

Noise, items and outputs are the same. The rest is written out: mask variables as in Louizos et al. 2018 (eqs. 10-12), the
mean divergence, two prices of `training/prices.py`,

    fixed:   penalty * sum_e P(z_e > 0)
    target:  l1 (s - t_k) + l2 (s - t_k)^2, of edges, and of writers where node gates are trained,
             s = 1 - mean of P(kept), t_k = t min(1, k / warm-up) at step k = 0, 1, ...; l <- l + rate * dprice/dl,

and Adam (Kingma & Ba 2015, Algorithm 1) without weight decay, with the gradients of this step only; its rate falls to a
tenth over the last half of the steps. An edge with a node gate is kept with the product of both probabilities, and its score
is the lower log-alpha of the two. With a target, the circuit is the
share 1 - t of edges with the largest scores.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from edgeprune_core.mask import mask_from_edge_values
from edgeprune_core.methods import EdgePruning
from edgeprune_core.task import Task
from edgeprune_core.training.gates import stratified_uniform
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.pathwise import PathwiseTraining
from edgeprune_core.training.prices import FixedPrice, SparsityTarget
from tracrcheck.invariants.base import Violation, Violations, close, equal, invariant
from tracrcheck.invariants.circuits import circuit_of
from tracrcheck.invariants.subjects import Subject, generator_of, is_smooth

TEMPERATURE, LOW, HIGH, MARGIN = 2 / 3, -0.1, 1.1, 1e-6
DOUBT = 0.01  # of the sharpened model
CLOSE = 1e-5  # of log-alphas: far above rounding, far below one step of 0.05
PENALTY = FixedPrice(per_edge=0.01)
TARGET = SparsityTarget(edges=0.7, nodes=0.4, warm_up=3, rate=0.5, node_rate=0.25)
_SHORT = EdgePruning(
    steps=5, circuits=4, fresh=2, kept=2, start=1.0, learning_rate=0.05, cool_down=0.5, dtype=torch.float64
)
SETTINGS = (replace(_SHORT, price=PENALTY, divergence="bounded"), replace(_SHORT, steps=6, price=TARGET))


@invariant(
    "the pathwise trainer takes the steps of its objective, its mask variables and Adam, computed by hand",
    applies=is_smooth,
)
def pathwise_by_hand(subject: Subject, seed: int) -> Violations:
    task = subject.tasks["resample"]
    for settings in SETTINGS:
        how = type(settings.price).__name__
        training = PathwiseTraining(settings, task, generator_of(seed))
        while not training.done:
            training.advance()
        found, by_hand = training.gates.log_alphas, _trained(task, settings, generator_of(seed))
        yield from equal(f"kinds of gates, {how}", len(found), len(by_hand))
        for (kind, got), want in zip(found.items(), by_hand, strict=True):
            yield from close(f"log-alphas of {kind}, {how}", got, want, CLOSE)
        lower = by_hand[0] if len(by_hand) == 1 else torch.minimum(by_hand[0], by_hand[1][_writers(task)])
        yield from close("scores: the lower log-alpha of an edge's gates", training.scores(), lower, CLOSE)
    yield from _share_kept(task)


def _share_kept(task: Task) -> Violations:
    found, n = SETTINGS[1](task), task.graph.n_edges
    assert found.scores is not None
    least = found.scores.sort(descending=True).values[round((1 - TARGET.edges) * n) - 1]
    few, many = (
        circuit_of(task.graph, on).connected() for on in (found.scores > least, found.scores >= least)
    )
    if not few.edges <= found.circuit.edges <= many.edges:
        yield Violation("edges kept at a target", len(found.circuit), f"{len(few)} to {len(many)}")


def _writers(task: Task) -> Tensor:
    return torch.tensor([edge.writer.index for edge in task.graph.edges])


def _trained(task: Task, settings: EdgePruning, generator: torch.Generator) -> list[Tensor]:
    """Log-alphas of edges, and of writers where those have gates."""
    target, n, writers = settings.price is TARGET, task.graph.n_edges, _writers(task)
    sizes = [n, len(task.graph.writers)] if target else [n]
    values = [torch.full((k,), settings.start, dtype=torch.float64) for k in sizes]
    adam = [_Adam() for _ in values]
    pool = ItemPool(len(task.items), settings.fresh, settings.kept, generator)
    multipliers, rates = [0.0] * 4, [TARGET.rate] * 2 + [TARGET.node_rate] * 2
    for step in range(settings.steps):
        leaves = [value.clone().requires_grad_() for value in values]
        gates = [
            _gate(x, stratified_uniform(settings.circuits, x.shape, generator, dtype=x.dtype)) for x in leaves
        ]
        z = gates[0] * gates[1][:, writers] if target else gates[0]
        rows = pool.draw()
        loss, wrong = _loss(task, z, rows, sharp=target)
        pool.remember_failures(rows, wrong)
        kept = [1 - torch.sigmoid(TEMPERATURE * math.log(-LOW / HIGH) - x) for x in leaves]
        if not target:
            loss = loss + PENALTY.per_edge * kept[0].sum()
        else:
            assert TARGET.nodes is not None
            rise = min(1.0, step / TARGET.warm_up)
            edges = 1 - (kept[0] * kept[1][writers]).mean() - rise * TARGET.edges
            nodes = 1 - kept[1].mean() - rise * TARGET.nodes
            terms = [edges, edges**2, nodes, nodes**2]
            loss = loss + sum(m * term for m, term in zip(multipliers, terms, strict=True))
            multipliers = [
                m + r * float(t.detach()) for m, r, t in zip(multipliers, rates, terms, strict=True)
            ]
        slopes = torch.autograd.grad(loss, leaves)
        left = 1 - step / settings.steps
        rate = settings.learning_rate * min(1.0, 0.1 + 0.9 * left / settings.cool_down)
        values = [a.step(value, slope, rate) for a, value, slope in zip(adam, values, slopes, strict=True)]
    return values


def _gate(log_alpha: Tensor, u: Tensor) -> Tensor:
    u = u.clamp(MARGIN, 1 - MARGIN)
    s = torch.sigmoid((u.log() - (1 - u).log() + log_alpha) / TEMPERATURE)
    return (s * (HIGH - LOW) + LOW).clamp(0, 1)


def _loss(task: Task, z: Tensor, rows: Tensor, *, sharp: bool) -> tuple[Tensor, Tensor]:
    items = task.items[rows]
    got = task.outputs(mask_from_edge_values(task.graph, z), items)
    want, scored = task.reference[items[:, 0]], task.scored[items[:, 0]]
    with torch.no_grad():
        off = task.outcome.deviation(got, want.expand_as(got), scored.expand(got.shape[:-1]))
    if not sharp:
        terms = 1 - torch.exp(-((got - want) ** 2).sum(-1))
    else:
        scale = math.log((want.shape[-1] - 1) * (1 - DOUBT) / DOUBT)
        p, q = (want * scale).log_softmax(-1), (got * scale).log_softmax(-1)
        terms = (p.exp() * (p - q)).sum(-1)
    return terms[:, scored].mean(), off > task.outcome.limit


class _Adam:
    def __init__(self) -> None:
        self.t = 0
        self.first = self.second = torch.zeros(())

    def step(self, value: Tensor, slope: Tensor, rate: float) -> Tensor:
        self.t += 1
        self.first = 0.9 * self.first + 0.1 * slope
        self.second = 0.999 * self.second + 0.001 * slope**2
        first, second = self.first / (1 - 0.9**self.t), self.second / (1 - 0.999**self.t)
        return value - rate * first / (second**0.5 + 1e-8)
