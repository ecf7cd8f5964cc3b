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
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.subjects import Subject, generator_of, some_items


def batching(subject: Subject, seed: int) -> Violation | None:
    for name, task in subject.tasks.items():
        items, mask = some_items(task, seed), mask_of(task, *some_circuits(task.graph, seed))
        want = expected(task, mask, items).around(task.outputs(mask, items))
        for how, got in _ways(task, mask, items, seed):
            if wrong := want.violation(f"{how} under {name}", got):
                return wrong
    return None


def _ways(task: Task, mask: Tensor, items: Tensor, seed: int):
    order = torch.randperm(len(items), generator=generator_of(seed + 1))
    back = order.argsort()
    yield "items in another order", task.outputs(mask, items[order])[:, back]
    yield "each item alone", torch.cat([task.outputs(mask, item[None]) for item in items], 1)
    yield "each circuit alone", torch.cat([task.outputs(one[None], items) for one in mask])
    yield "circuits in another order", task.outputs(mask.flip(0), items).flip(0)
    yield "every item twice", task.outputs(mask, items.repeat(2, 1))[:, len(items) :]


def repeated_references(subject: Subject, seed: int) -> Violation | None:
    task = subject.tasks["mean"]
    lengths = task.valid.sum(1)
    once = [task.tokens[lengths == n, :n] for n in lengths.unique().tolist()]
    draw = generator_of(seed)
    more = [torch.cat([rows, rows[torch.randint(len(rows), (3,), generator=draw)]]) for rows in once]
    for pooled in (False, True):
        want, got = (Mean(pooled=pooled).of(task.model, rows).table for rows in (once, more))
        for n in want:
            if not torch.equal(want[n], got[n]):
                off = float((want[n] - got[n]).abs().max())
                return Violation(f"means of length {n} over rows with repeats", f"off by {off:.2g}", "equal")
    return None


BATCHING = Invariant(
    name="batching",
    statement="the order of a batch, other circuits in it, padding and repeated items change no output",
    check=batching,
)
REPEATED_REFERENCES = Invariant(
    name="repeated_references",
    statement="means are over a set of inputs: repeated rows count once",
    check=repeated_references,
)
