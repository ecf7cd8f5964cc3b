"""Outputs depend neither on what shares the batch nor, in a causal model, on later positions.

Outputs do not depend on what shares the batch.

They are a function of one circuit, one input and what its cut edges carry. In another order, alone, padded to the length of
longer inputs, or repeated, each item gives the same outputs.

A causal model ignores later positions.

Every reader at position p reads writers at p, and attention looks at positions up to p. By induction over the writers, what
is written at p depends on tokens up to p only: in any circuit, under any ablation, and also for what cut edges carry.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeprune_core.engine import run
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, each_task, invariant
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.expected import Expected, expected
from tracrcheck.invariants.subjects import generator_of, some_items


@invariant("the order of a batch, other circuits in it, padding and repeated items change no output")
@each_task()
def batching(task: Task, seed: int) -> Violations:
    items, mask = some_items(task, seed), mask_of(task, *some_circuits(task.graph, seed))
    want = expected(task, mask, items).around(task.outputs(mask, items))
    for how, got in _ways(task, mask, items, seed):
        yield from want.violations(how, got)


def _ways(task: Task, mask: Tensor, items: Tensor, seed: int):
    order = torch.randperm(len(items), generator=generator_of(seed + 1))
    back = order.argsort()
    yield "items in another order", task.outputs(mask, items[order])[:, back]
    yield "each item alone", torch.cat([task.outputs(mask, item[None]) for item in items], 1)
    yield "each circuit alone", torch.cat([task.outputs(one[None], items) for one in mask])
    yield "circuits in another order", task.outputs(mask.flip(0), items).flip(0)
    yield "every item twice", task.outputs(mask, items.repeat(2, 1))[:, len(items) :]


@invariant(
    "outputs of a causal model do not depend on later positions, in any circuit",
    applies=lambda subject: subject.spec.causal,
)
@each_task("zero", "resample")
def causality(task: Task, seed: int) -> Violations:
    items, mask = some_items(task, seed), mask_of(task, *some_circuits(task.graph, seed))
    length = int(task.valid[items[:, 0]].sum(1).max())
    items = items[task.valid[items[:, 0]].sum(1) == length]
    clean, other = (task.tokens[items[:, side], :length] for side in (0, 1))
    want = expected(task, mask, items).around(task.outputs(mask, items))
    for place in range(1, length):
        changed, corrupted = (_changed_from(tokens, place, task) for tokens in (clean, other))
        valid = torch.ones_like(changed, dtype=torch.bool)
        got = run(task.model, changed, mask, task.ablation.background(task.model, corrupted, valid))
        before = Expected(want.x[:, :, :place], want.off[:, :, :place])
        yield from before.violations(f"tokens changed from position {place} on", got[:, :, :place])


def _changed_from(tokens: torch.Tensor, place: int, task: Task) -> torch.Tensor:
    changed = tokens.clone()
    changed[:, place:] = (changed[:, place:] + 1) % task.model.spec.d_vocab
    return changed
