"""Scores along inputs, summed over the edges of an embedding, follow the chain rule at each point of the path.

The score of w -> r is the mean over items of carried_w . (1/m) sum_{k=1..m} d margin / d x_r, taken at embeddings k/m of the
way from what their cut edges carry to the clean embeddings (Hanna et al. 2024). An embedding reaches the outputs through its
edges only, so d margin / d x_r summed over its readers is d margin / d embedding, which automatic differentiation gives
without a mask. With one step the only point is the clean one, so scores along inputs equal scores along masks.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from edgeprune_core.attribution import margin_gradient, margin_gradient_along_inputs
from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import run
from edgeprune_core.task import Task
from edgeprune_core.weights import Model
from tracrcheck.invariants.base import Violations, close, each_task, invariant, of_largest
from tracrcheck.invariants.circuits import mask_of
from tracrcheck.invariants.subjects import is_smooth, with_few_items

CLOSE = 1e-7  # of the largest score: gradients are sums of a few thousand terms
STEPS = 3
AT_ONCE = 2  # so that there are several batches of items


@invariant(
    "scores along inputs, summed over an embedding's edges, are what the chain rule gives at each point",
    applies=is_smooth,
)
@each_task()
def along_inputs(whole: Task, seed: int) -> Violations:
    task = with_few_items(whole, seed, 3)
    one = margin_gradient_along_inputs(task, steps=1, items_at_once=AT_ONCE)
    masks = margin_gradient(task, steps=1, items_at_once=AT_ONCE)
    size = of_largest(masks, CLOSE, 1e-6)
    yield from close("one step along inputs, compared with masks", one, masks, size, names=task.graph.edges)
    found = margin_gradient_along_inputs(task, steps=STEPS, items_at_once=AT_ONCE)
    by_hand = _by_embedding(task)
    for writer in task.graph.writers[: task.graph.n_embeddings]:
        own = torch.tensor([edge.writer == writer for edge in task.graph.edges])
        want = by_hand[writer.index]
        bound = max(size, CLOSE * abs(want)) * int(own.sum())
        yield from close(f"scores of all edges of {writer}", found[own].sum(), want, bound)


def _by_embedding(task: Task) -> list[float]:
    w, items, everything = task.model.weights, task.items, mask_of(task, Circuit.full(task.graph))
    clean = _embedded(task, items[:, 0])
    background = task.background(items)
    cut = torch.zeros_like(clean) if background is None else background[: len(clean)]
    total = torch.zeros(len(clean), dtype=clean.dtype)
    for k in range(1, STEPS + 1):
        point = (cut + (clean - cut) * (k / STEPS)).sum(0)
        leaf = point.flatten(0, 1).clone().requires_grad_()
        tensors = replace(w, tok=leaf, pos=None if w.pos is None else torch.zeros_like(w.pos))
        model = Model(replace(task.model.spec, d_vocab=len(leaf)), tensors)
        ids = torch.arange(len(leaf)).view(point.shape[:2])
        outputs = run(model, ids, everything, valid=task.valid[items[:, 0]])
        (gradient,) = torch.autograd.grad(task.margins(outputs, items).sum(), leaf)
        total += ((clean - cut) * gradient.view(point.shape)).sum((1, 2, 3))
    return (total / (STEPS * len(items))).tolist()


def _embedded(task: Task, rows: Tensor) -> Tensor:
    """`embedding item pos d_model`."""
    w, tokens = task.model.weights, task.tokens[rows]
    found = [w.tok[tokens]]
    if w.pos is not None:
        found.append(w.pos[: tokens.shape[1]].expand_as(found[0]))
    return torch.stack(found)
