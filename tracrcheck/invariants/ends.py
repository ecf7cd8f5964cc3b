"""With all edges kept, outputs are the model's; with none kept, the corrupted run's, or constant.

A reader sees  sum_w background_w + biases + sum_w m_w (out_w - background_w).  With m = 1 everywhere that is the sum of what
is written in this run; by induction over readers it is the model itself, whatever the background. With m = 0 it is the sum of
backgrounds: under resampling, what the reader sees in the corrupted run; under zero ablation, the attention output biases
only, equal at every position of every input.
"""

from __future__ import annotations

from edgeprune_core.circuit import Circuit
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, close, each_task, invariant
from tracrcheck.invariants.circuits import mask_of
from tracrcheck.invariants.expected import expected, plain
from tracrcheck.invariants.subjects import some_items


@invariant("with every edge kept, outputs are the model's, under every ablation")
@each_task()
def all_kept(task: Task, seed: int) -> Violations:
    items, everything = some_items(task, seed), mask_of(task, Circuit.full(task.graph))
    want, rounding = plain(task, items[:, 0]), 2 * expected(task, everything, items).off
    got = task.outputs(everything, items)  # in which backgrounds are added and subtracted again
    yield from want.violations("all edges kept", got, more=rounding)
    yield from want.violations("the reference of the task", task.reference[items[:, 0]][None])


@invariant("with no edge kept, outputs are the corrupted run's under resample, and one constant under zero")
@each_task("resample", "zero", "mean")
def none_kept(task: Task, seed: int) -> Violations:
    items, nothing = some_items(task, seed), mask_of(task, Circuit.empty(task.graph))
    got = task.outputs(nothing, items)
    resampled = task.ablation.name == "resample"
    want = plain(task, items[:, 1]) if resampled else expected(task, nothing, items)
    yield from want.violations("no edge kept", got)
    if task.ablation.name == "zero":
        yield from close("no edge kept, compared with the first item", got, got[:, :1, :1], 0)
