"""Means are over all reference inputs, in whatever batches they come; pooled means are over all lengths.

By hand: what every writer writes on each input, from `forward.py`. Per length and position, the mean over the inputs of that
length; pooled, per position, the mean over all inputs that have that position.
"""

from __future__ import annotations

import torch

from edgeprune_core.ablations import Mean
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.expected import forward_of
from tracrcheck.invariants.subjects import Subject, is_program

CLOSE = 1e-9  # of means of numbers of order 1 in float64


def pooling(subject: Subject, seed: int) -> Violation | None:
    task = subject.tasks["mean"]
    by_length = _inputs(task)
    wrote = {n: _written(task, rows) for n, rows in by_length.items()}
    batches = [part for rows in by_length.values() for part in rows.split(1)]
    for pooled in (False, True):
        found = Mean(pooled=pooled).of(task.model, batches).table
        for n in by_length:
            if pooled:
                columns = [
                    torch.cat([w[:, :, p] for m, w in wrote.items() if m > p], 1).mean(1) for p in range(n)
                ]
                want = torch.stack(columns, 1)
            else:
                want = wrote[n].mean(1)
            off = float((found[n] - want).abs().max())
            if not off <= CLOSE * max(1.0, float(want.abs().max())):
                what = "pooled means" if pooled else "means"
                return Violation(f"{what} of length {n}, one input a batch", f"off by {off:.2g}", 0)
    return None


def _inputs(task: Task) -> dict[int, torch.Tensor]:
    lengths = task.valid.sum(1)
    return {n: task.tokens[lengths == n, :n] for n in lengths.unique().tolist()}


def _written(task: Task, rows: torch.Tensor) -> torch.Tensor:
    """`writer batch pos d_model`."""
    wrote = forward_of(task).plain(rows.numpy())[1]
    return torch.stack([torch.from_numpy(wrote[str(writer)].x.copy()) for writer in task.graph.writers])


POOLING = Invariant(
    name="pooling",
    statement="means are over all reference inputs, in whatever batches; pooled means are over all lengths",
    check=pooling,
    applies=lambda subject: not is_program(subject),
)
