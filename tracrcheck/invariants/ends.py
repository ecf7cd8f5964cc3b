"""With all edges kept, outputs are the model's; with none kept, the corrupted run's, or constant.

A reader sees  sum_w background_w + biases + sum_w m_w (out_w - background_w).  With m = 1 everywhere that is the sum of what
is written in this run; by induction over readers it is the model itself, whatever the background. With m = 0 it is the sum of
backgrounds: under resampling, what the reader sees in the corrupted run; under zero ablation, the attention output biases
only, equal at every position of every input.
"""

from __future__ import annotations

from edgeprune_core.circuit import Circuit
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.circuits import mask_of
from tracrcheck.invariants.expected import expected, plain
from tracrcheck.invariants.subjects import Subject, some_items


def all_kept(subject: Subject, seed: int) -> Violation | None:
    for name, task in subject.tasks.items():
        items, everything = some_items(task, seed), mask_of(task, Circuit.full(task.graph))
        want, got = plain(task, items[:, 0]), task.outputs(everything, items)
        cancelled = (
            2 * expected(task, everything, items).off
        )  # rounding of what is added and subtracted again
        if wrong := want.violation(f"all edges kept under {name}", got, more=cancelled):
            return wrong
        if wrong := want.violation("the reference of the task", task.reference[items[:, 0]][None]):
            return wrong
    return None


def none_kept(subject: Subject, seed: int) -> Violation | None:
    task = subject.tasks["resample"]
    items = some_items(task, seed)
    nothing = mask_of(task, Circuit.empty(task.graph))
    if wrong := plain(task, items[:, 1]).violation(
        "no edge kept under resample", task.outputs(nothing, items)
    ):
        return wrong
    for name in ("zero", "mean"):
        task = subject.tasks[name]
        items = some_items(task, seed)
        got = task.outputs(nothing, items)
        if wrong := expected(task, nothing, items).violation(f"no edge kept under {name}", got):
            return wrong
        if name == "zero" and (got != got[:, :1, :1]).any():
            return Violation("no edge kept under zero", "outputs that differ", "one constant")
    return None


ALL_KEPT = Invariant(
    name="all_kept",
    statement="with every edge kept, outputs are the model's, under every ablation",
    check=all_kept,
)
NONE_KEPT = Invariant(
    name="none_kept",
    statement="with no edge kept, outputs are the corrupted run's under resample, and one constant under zero",
    check=none_kept,
)
