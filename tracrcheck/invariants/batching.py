"""Outputs do not depend on what shares the batch.

They are a function of one circuit, one input and what its cut edges carry. In another order, alone, padded to the length of
longer inputs, or repeated, each item gives the same outputs. Means are over a fixed set of reference inputs: neither
repeated rows nor the items at hand change them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeprune_core.ablations import Mean
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, close, each_task, invariant
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.subjects import generator_of, inputs_by_length, some_items


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


@invariant("means are over a set of inputs: repeated rows count once")
@each_task("mean")
def repeated_references(task: Task, seed: int) -> Violations:
    once, draw = list(inputs_by_length(task).values()), generator_of(seed)
    more = [torch.cat([rows, rows[torch.randint(len(rows), (3,), generator=draw)]]) for rows in once]
    for pooled in (False, True):
        want, got = (Mean(pooled=pooled).of(task.model, rows).table for rows in (once, more))
        for n in want:
            yield from close(f"means of length {n} over rows with repeats", got[n], want[n], 0)
