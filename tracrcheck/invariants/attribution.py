"""Gradients with respect to a mask are slopes; attributions are exact where effects are linear, and complete along a path.

Attributions are exact where effects are linear, and complete along a path.

`margin_gradient` is the derivative of the mean margin with respect to each edge's share, at the full circuit. With uniform
attention (no queries, no keys), no norm, and no ReLU that is ever shut, the margin is linear in each single share, so the
derivative *is* the cost of cutting the edge:  margin(all kept) - margin(all but the edge). So is it where a ReLU is at its
kink, if the model is linear there all the same, as Tracr's relu(x) - relu(-x) is.

Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365, proposition 1; EAP-IG uses them for edges) sum to the cost
of cutting everything:  sum_e integral_0^1 d margin / d m_e (t, ..., t) dt = margin(all kept) - margin(none kept), by the
fundamental theorem of calculus. The same holds on every part of the way from cut to kept. Each part's integral is computed by
Gauss-Legendre quadrature and compared with the margin's change on that part; the part with the largest error is halved
until the total error is negligible. Where its input passes near zero, a norm turns so sharply that the quadrature may miss
the place, also in the halves; the margin does not miss it. If gradients are wrong, halving does not help: the errors of the
parts add up to the error of the whole.

The gradient with respect to a mask agrees with finite differences.

With D(h) = (f(m + h) - f(m - h)) / 2h, D(h) = f' + c h^2 + O(h^4), so D(h) is off by (D(2h) - D(h)) / 3 to leading order.
Twice that is allowed, plus the rounding of the outputs over h. Kinks have no derivative, so this is about smooth models.
"""

from __future__ import annotations

import math
from dataclasses import replace
from heapq import heapify, heappop, heappush

import numpy as np
import torch
from torch import Tensor

from edgeprune_core.attribution import margin_gradient
from edgeprune_core.circuit import Circuit
from edgeprune_core.mask import edge_values, mask_from_edge_values
from edgeprune_core.task import Task
from edgeprune_core.weights import Model, Weights
from tracrcheck.invariants.base import Violation, Violations, close, each_task, invariant, of_largest
from tracrcheck.invariants.circuits import mask_of, mean_margins, some_shares
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.renumbering import with_model
from tracrcheck.invariants.subjects import (
    generator_of,
    has_no_norm,
    is_random,
    is_smooth,
    some_items,
    with_few_items,
)

OPEN = 1000.0  # added before every ReLU and subtracted after it: pre-activations of order 10 then shut none
CLOSE = 1e-8  # of sums of a few thousand terms of order 1000 in float64
POINTS = 12  # of the quadrature, in each part
PARTS = 2  # at the start
HALVINGS = 300  # at most
FINE = 1e-7  # limit on the total error, in units of the margins


def linear(task: Task) -> Task:
    """The same task with uniform attention and MLPs whose ReLUs are never shut."""
    w = task.model.weights
    weights = replace(w, w_q=w.w_q * 0, w_k=w.w_k * 0, b_q=w.b_q * 0, b_k=w.b_k * 0)
    weights = replace(weights, b_in=w.b_in + OPEN, b_out=w.b_out - OPEN * w.w_out.sum(1))
    return with_model(task, Model(replace(task.model.spec, activation="relu"), weights))


@invariant(
    "on a linear model, the attribution of an edge is the cost of cutting it",
    applies=lambda subject: has_no_norm(subject) and is_random(subject),
)
@each_task()
def exact_on_linear(whole: Task, seed: int) -> Violations:
    for what, task in (
        ("scores", linear(whole)),
        ("scores where every ReLU is at its kink", at_kinks(whole)),
    ):
        full, edges = Circuit.full(task.graph), task.graph.edges
        margins = mean_margins(task, full, *(full.without(edge) for edge in edges))
        cost, bound = margins[0] - margins[1:], of_largest(margins, CLOSE)
        yield from close(what, margin_gradient(task), cost, bound, names=edges)


def at_kinks(task: Task) -> Task:
    """The same, with MLPs that are linear as relu(x) - relu(-x), on items in whose clean run every x is exactly 0."""
    w = {
        n: t * 0 if n.startswith("b_") or n in ("w_q", "w_k", "pos") else t
        for n, t in task.model.weights.tensors().items()
    }
    w |= {name: torch.cat([w[name], -w[name]], axis) for name, axis in (("w_in", 2), ("w_out", 1))}
    w |= {"tok": w["tok"] * (torch.arange(len(w["tok"])) > 0)[:, None], "b_in": torch.cat([w["b_in"]] * 2, 1)}
    tokens = task.tokens.clone()
    tokens[0] = 0
    pairs = replace(task, tokens=tokens, items=task.items[task.items[:, 0] == 0])
    spec = replace(task.model.spec, activation="relu", d_mlp=w["w_in"].shape[2])
    return with_model(pairs, Model(spec, Weights(**w)))


# Minus the difference of a part's integral and its gain (so that a heap has the worst first), its ends, its integral.
Part = tuple[float, float, float, float]


@invariant("integrated gradients of all edges sum to the cost of cutting them all", applies=is_smooth)
@each_task()
def completeness(whole: Task, seed: int) -> Violations:
    task = with_few_items(whole, seed, 2)
    cut, kept = _margin(task, 0.0), _margin(task, 1.0)
    allowed = FINE * max(1.0, abs(kept), abs(cut))
    parts = [_part(task, i / PARTS, (i + 1) / PARTS) for i in range(PARTS)]
    heapify(parts)
    for _ in range(HALVINGS):
        if -sum(off for off, *_ in parts) <= allowed:
            return
        _, low, high, _ = heappop(parts)
        heappush(parts, _part(task, low, (low + high) / 2))
        heappush(parts, _part(task, (low + high) / 2, high))
    yield Violation(
        "integrated gradients summed",
        sum(integral for *_, integral in parts),
        f"{kept - cut}, and each part's own gain, within {allowed:.2g}",
    )


def _part(task: Task, low: float, high: float) -> Part:
    integral, gain = _gauss(task, low, high), _margin(task, high) - _margin(task, low)
    off = -abs(integral - gain)
    return off if off == off else -math.inf, low, high, integral


@torch.no_grad()
def _margin(task: Task, share: float) -> float:
    """The mean margin with every edge at that share."""
    mask = share * mask_of(task, Circuit.full(task.graph))
    return float(task.margins(task.outputs(mask, task.items), task.items).mean())


def _gauss(task: Task, low: float, high: float) -> float:
    """The integral of the sum of gradients over the shares from low to high."""
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    half = (high - low) / 2
    shares = torch.tensor(low + half * (nodes + 1))
    mask = (shares[:, None, None] * mask_of(task, Circuit.full(task.graph))).requires_grad_()
    margins = task.margins(task.outputs(mask, task.items), task.items).mean(1)
    (gradient,) = torch.autograd.grad((margins * torch.tensor(half * weights)).sum(), mask)
    return float(edge_values(task.graph, gradient).sum())


STEP = 1e-4
EDGES = 40


@invariant("the gradient with respect to a mask agrees with finite differences", applies=is_smooth)
@each_task()
def mask_gradient(task: Task, seed: int) -> Violations:
    graph, draw = task.graph, generator_of(seed)
    edges = torch.randperm(graph.n_edges, generator=draw)[:EDGES]
    items, mask = some_items(task, seed, 2), some_shares(task, seed, 1)
    weight = torch.randn(len(items), task.tokens.shape[1], task.model.spec.d_out, generator=draw)
    weight = weight.double() * task.valid[items[:, 0]][..., None]
    leaf = mask.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((task.outputs(leaf, items) * weight).sum(), leaf)
    near, far = (_slopes(task, mask, items, weight, edges, h) for h in (STEP, 2 * STEP))
    rounding = float((expected(task, mask, items).off.nan_to_num() * weight.abs()).sum()) * 2 / STEP
    allowed = 2 * (far - near).abs() / 3 + rounding + of_largest(near, 1e-9)
    got, names = edge_values(graph, gradient)[0, edges], [graph.edges[i] for i in edges.tolist()]
    yield from close("the slope along an edge", got, near, allowed, names=names)


@torch.no_grad()
def _slopes(task: Task, mask: Tensor, items: Tensor, weight: Tensor, edges: Tensor, h: float) -> Tensor:
    nudges = h * torch.eye(task.graph.n_edges, dtype=torch.float64)[edges]
    both = torch.cat([nudges, -nudges]) + edge_values(task.graph, mask)
    values = (task.outputs(mask_from_edge_values(task.graph, both), items) * weight).sum((1, 2, 3))
    return (values[: len(edges)] - values[len(edges) :]) / (2 * h)
