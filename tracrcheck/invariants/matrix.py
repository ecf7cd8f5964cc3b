"""The faithfulness matrix: what its cells are of the full and the empty circuit, of a circuit and of its complement.

The faithfulness matrix: knocking a circuit out is keeping the rest, random circuits differ, ratios are of means.

By definition, the values of a circuit knocked out are those of its complement kept, in every cell. `recovered` is
(M(circuit) - M(empty)) / (M(model) - M(empty)), with mean margins M. The same holds for random circuits, and each draw is a
new circuit: twenty of them do not all give the same divergence. Kendall's tau of the model with itself is 1, and with its
outputs reversed -1.

Normalised faithfulness is 1 for the full circuit, 0 for the empty one, and undefined if the two coincide.

With M a mean margin, it is (M(circuit) - M(empty)) / (M(model) - M(empty)): 1 and 0 by substitution, and 0 / 0 if the
ablation does not change the margin, as when every input is its own corruption.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.faithfulness import Cell, faithfulness
from edgeprune_core.metrics.tau import kendall_tau
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violation, Violations, close, each_task, invariant, per_size
from tracrcheck.invariants.circuits import mask_of, mean_margins, some_circuits
from tracrcheck.invariants.subjects import Subject, is_random

CLOSE = 1e-7  # of means of float64 outputs, run in batches of another size
DRAWS = 20
APART = 1e-2  # closer margins, relative to their size, make a quotient of rounding errors


@invariant(
    "knocking a circuit out is keeping the rest; recovered is a ratio of means; random circuits differ",
    applies=is_random,
)
@each_task("resample")
def matrix(task: Task, seed: int) -> Violations:
    circuit = some_circuits(task.graph, seed, (0.6,))[0]
    rest = Circuit.full(task.graph) - circuit
    own, other = ({(c.direction, c.metric): c for c in _cells(task, which)} for which in (circuit, rest))
    for metric in ("kl", "recovered", "exact_match", "tau"):
        a, b = own["knocked_out", metric].circuit.mean, other["kept", metric].circuit.mean
        yield from close(f"{metric} knocked out, and of the rest kept", a, b, per_size(b, CLOSE))
    null = own["kept", "kl"].null
    if not null.low < null.high:
        yield Violation(f"the spread of {DRAWS} random circuits", f"{null.low} to {null.high}", "some")
    kept, full, empty = mean_margins(
        task, circuit, Circuit.full(task.graph), Circuit.empty(task.graph)
    ).tolist()
    if abs(full - empty) > APART * max(abs(full), abs(empty)):
        want = (kept - empty) / (full - empty)
        yield from close(
            "recovered, of means", own["kept", "recovered"].circuit.mean, want, per_size(want, CLOSE)
        )
    outputs = task.reference[task.scored][None]
    for what, turned, tau in (("the model's outputs", outputs, 1.0), ("turned round", -outputs, -1.0)):
        yield from close(f"tau of {what} with themselves", kendall_tau(turned[None], outputs), tau, CLOSE)


def _cells(task: Task, circuit: Circuit) -> tuple[Cell, ...]:
    return faithfulness({"resample": task}, circuit, draws=DRAWS, resamples=2).cells


SAME = 1e-9  # of a quotient of equal float64 numbers, none below COINCIDE
COINCIDE = 1e-9  # of the margins' size: float64 rounding is below it


@invariant(
    "normalised faithfulness is 1 for the full circuit, 0 for the empty one, undefined if they coincide",
    applies=lambda subject: subject.tasks["zero"].outcome.categorical,
)
def normalised(subject: Subject, seed: int) -> Violations:
    resample = subject.tasks["resample"]
    own = replace(resample, items=resample.items[:, :1].expand(-1, 2))
    tasks = subject.tasks | {"resample of each by itself": own}
    ends = {
        "the full circuit": (Circuit.full(own.graph), 1.0),
        "the empty circuit": (Circuit.empty(own.graph), 0.0),
    }
    margins = {name: _margins(task) for name, task in tasks.items()}
    for what, (circuit, want) in ends.items():
        for name, value in _recovered(tasks, circuit).items():
            kept, cut, size = margins[name]
            if abs(kept - cut) <= COINCIDE * size:
                if math.isfinite(value):
                    yield Violation(f"{what} under {name}, which changes no margin", value, "undefined")
            elif abs(kept - cut) > 1e-3 * size:
                yield from close(f"{what} under {name}", value, want, SAME)


def _margins(task: Task) -> tuple[float, float, float]:
    """The mean margins of the full and the empty circuit, and the mean size of all margins."""
    ends = Circuit.full(task.graph), Circuit.empty(task.graph)
    with torch.no_grad():
        margins = task.margins(task.outputs(mask_of(task, *ends), task.items), task.items)
    kept, cut = margins.mean(1).tolist()
    return kept, cut, float(margins.abs().mean())


def _recovered(tasks: dict[str, Task], circuit: Circuit) -> dict[str, float]:
    cells = faithfulness(tasks, circuit, draws=2, resamples=4).cells
    kept = [cell for cell in cells if (cell.direction, cell.metric) == ("kept", "recovered")]
    return {cell.ablation: cell.circuit.mean for cell in kept}
