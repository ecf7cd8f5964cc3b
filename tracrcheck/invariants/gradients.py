"""The gradient with respect to a mask agrees with finite differences.

With D(h) = (f(m + h) - f(m - h)) / 2h, D(h) = f' + c h^2 + O(h^4), so D(h) is off by (D(2h) - D(h)) / 3 to leading order.
Twice that is allowed, plus the rounding of the outputs over h. Kinks have no derivative, so this is about smooth models.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeprune_core.mask import edge_values, from_edge_values
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, close, each_task, invariant, of_largest
from tracrcheck.invariants.circuits import some_shares
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.subjects import generator_of, is_smooth, some_items

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
    values = (task.outputs(from_edge_values(task.graph, both), items) * weight).sum((1, 2, 3))
    return (values[: len(edges)] - values[len(edges) :]) / (2 * h)
