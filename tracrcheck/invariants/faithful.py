"""Normalised faithfulness is 1 for the full circuit, 0 for the empty one, and undefined if the two coincide.

With M a mean margin, it is (M(circuit) - M(empty)) / (M(model) - M(empty)): 1 and 0 by substitution, and 0 / 0 if the
ablation does not change the margin, as when every input is its own corruption.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.faithfulness import faithfulness
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violation, Violations, close, invariant
from tracrcheck.invariants.circuits import mask_of
from tracrcheck.invariants.subjects import Subject

CLOSE = 1e-9  # of a quotient of equal float64 numbers, none below COINCIDE
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
                yield from close(f"{what} under {name}", value, want, CLOSE)


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
