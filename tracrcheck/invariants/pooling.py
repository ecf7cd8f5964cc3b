"""Means are over all reference inputs, in whatever batches they come; pooled means are over all lengths.

By hand: what every writer writes on each input, from `forward.py`. Per length and position, the mean over the inputs of that
length; pooled, per position, the mean over all inputs that have that position. The inputs are a set: repeated rows count once.
"""

from __future__ import annotations

import torch

from edgeprune_core.ablations import Mean
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, close, each_task, invariant, of_largest
from tracrcheck.invariants.expected import forward_of
from tracrcheck.invariants.subjects import generator_of, inputs_by_length, is_random

CLOSE = 1e-9  # of means of numbers of order 1 in float64


@invariant(
    "means are over all reference inputs, in whatever batches; pooled means are over all lengths",
    applies=is_random,
)
@each_task("mean")
def pooling(task: Task, seed: int) -> Violations:
    by_length = inputs_by_length(task)
    wrote = {n: _written(task, rows) for n, rows in by_length.items()}
    batches = [part for rows in by_length.values() for part in rows.split(1)]
    for what, pooled in (("means", False), ("pooled means", True)):
        found = Mean(pooled=pooled).of(task.model, batches).table
        for n in by_length:
            own = wrote if pooled else {n: wrote[n]}
            means = [
                torch.cat([x[:, :, pos] for length, x in own.items() if length > pos], 1).mean(1)
                for pos in range(n)
            ]
            want = torch.stack(means, 1)
            yield from close(
                f"{what} of length {n}, one input per batch", found[n], want, of_largest(want, CLOSE)
            )


def _written(task: Task, rows: torch.Tensor) -> torch.Tensor:
    """`writer batch pos d_model`."""
    wrote = forward_of(task).plain(rows.numpy())[1]
    return torch.stack([torch.from_numpy(wrote[str(writer)].x.copy()) for writer in task.graph.writers])


@invariant("means are over a set of inputs: repeated rows count once")
@each_task("mean")
def repeated_references(task: Task, seed: int) -> Violations:
    once, draw = list(inputs_by_length(task).values()), generator_of(seed)
    more = [torch.cat([rows, rows[torch.randint(len(rows), (3,), generator=draw)]]) for rows in once]
    for pooled in (False, True):
        want, got = (Mean(pooled=pooled).of(task.model, rows).table for rows in (once, more))
        for n in want:
            yield from close(f"means of length {n} over rows with repeats", got[n], want[n], 0)
