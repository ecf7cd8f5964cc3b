"""float32 and float64 agree within a derived bound.

`forward.py` bounds, for each number, how far an evaluation with rounding unit 2^-24 may be from it, from the sums and slopes
on the way. In a deep model with a norm this worst case soon exceeds the outputs themselves; the bound is valid there but says
nothing. So random models are also checked with their first layer only, where it is tight.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.task import Task
from edgeprune_core.weights import Model, Weights, expected_shapes
from tracrcheck.invariants.base import Violations, equal, invariant
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.expected import Expected, expected
from tracrcheck.invariants.forward import SINGLE
from tracrcheck.invariants.renumbering import with_model
from tracrcheck.invariants.subjects import Subject, is_program, some_items


def first_layer(task: Task) -> Task:
    """The model cut off after its first layer, with projections half as large."""
    spec = replace(task.model.spec, n_layers=1)
    shapes = expected_shapes(spec)
    tensors = {}
    for name, t in task.model.weights.tensors().items():
        kept = t[:1] if name in shapes and tuple(t.shape) != shapes[name] else t
        tensors[name] = kept / 2 if name.startswith("w_") else kept
    return with_model(task, Model(spec, Weights(**tensors)))


def in_single(task: Task, seed: int) -> tuple[Expected, torch.Tensor]:
    """The expected float32 outputs, and the actual ones."""
    circuits = [*some_circuits(task.graph, seed), Circuit.full(task.graph)]
    items, mask = some_items(task, seed), mask_of(task, *circuits)
    return expected(task, mask, items, unit=SINGLE), task.to(torch.float32).outputs(mask.float(), items)


@invariant("float32 and float64 agree within the bound of a running error analysis")
def precision(subject: Subject, seed: int) -> Violations:
    for name, task in subject.tasks.items():
        for which in (task,) if is_program(subject) else (task, first_layer(task)):
            want, got = in_single(which, seed)
            yield from equal("the precision of a float32 model's outputs", got.dtype, torch.float32)
            yield from want.violations(f"float32, {which.model.spec.n_layers} layers, under {name}", got)
