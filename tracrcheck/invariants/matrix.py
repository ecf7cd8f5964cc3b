"""The faithfulness matrix: knocking a circuit out is keeping the rest, random circuits differ, ratios are of means.

By definition, the values of a circuit knocked out are those of its complement kept, in every cell. `recovered` is
(M(circuit) - M(empty)) / (M(model) - M(empty)), with mean margins M. The same holds for random circuits, and each draw is a
new circuit: twenty of them do not all give the same divergence. Kendall's tau of the model with itself is 1, and with its
outputs reversed -1.
"""

from __future__ import annotations

import math

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.faithfulness import Cell, faithfulness
from edgeprune_core.metrics.tau import kendall_tau
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.subjects import Subject, is_program

CLOSE = 1e-7  # of means of float64 outputs, run in batches of another size
DRAWS = 20
APART = 1e-2  # closer margins, relative to their size, make a quotient of rounding errors


def matrix(subject: Subject, seed: int) -> Violation | None:
    task = subject.tasks["resample"]
    circuit = some_circuits(task.graph, seed, (0.6,))[0]
    rest = Circuit.full(task.graph) - circuit
    own, other = ({(c.direction, c.metric): c for c in _cells(task, which)} for which in (circuit, rest))
    for metric in ("kl", "recovered", "exact_match", "tau"):
        a, b = own["knocked_out", metric].circuit.mean, other["kept", metric].circuit.mean
        if not abs(a - b) <= CLOSE * max(1.0, abs(b)) and not (math.isnan(a) and math.isnan(b)):
            return Violation(f"{metric} knocked out, and of the rest kept", a, b)
    null = own["kept", "kl"].null
    if not null.low < null.high:
        return Violation(f"the spread of {DRAWS} random circuits", f"{null.low} to {null.high}", "some")
    want, got = _recovered(task, circuit), own["kept", "recovered"].circuit.mean
    if want is not None and not abs(got - want) <= CLOSE * max(1.0, abs(want)):
        return Violation("recovered", got, f"{want}, of means")
    outputs = task.reference[task.scored][None]
    for what, turned, tau in (("the model's outputs", outputs, 1.0), ("turned round", -outputs, -1.0)):
        if not ((found := kendall_tau(turned[None], outputs)) - tau).abs().max() <= CLOSE:
            return Violation(f"tau of {what} with themselves", float(found.min()), tau)
    return None


def _cells(task: Task, circuit: Circuit) -> tuple[Cell, ...]:
    return faithfulness({"resample": task}, circuit, draws=DRAWS, resamples=2).cells


@torch.no_grad()
def _recovered(task: Task, circuit: Circuit) -> float | None:
    """None if the margins of the model and the empty circuit are too close to divide by their difference."""
    masks = mask_of(task, circuit, Circuit.full(task.graph), Circuit.empty(task.graph))
    own, full, empty = task.margins(task.outputs(masks, task.items), task.items).mean(1).tolist()
    return (own - empty) / (full - empty) if abs(full - empty) > APART * max(abs(full), abs(empty)) else None


MATRIX = Invariant(
    name="matrix",
    statement="knocking a circuit out is keeping the rest; recovered is a ratio of means; random circuits differ",
    check=matrix,
    applies=lambda subject: not is_program(subject),
)
