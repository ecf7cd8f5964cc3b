"""Rotating the residual stream changes nothing where there is no norm.

With Q orthogonal, let every writer write x Q and every reader read x Q^T. Each product of the two is unchanged, and nothing
else reads the stream. A norm does: its gain is per direction, so this is about models without one.

Rotated weights are rounded by at most d^(3/2) u of their norms (`truth/permitted.py`), instead of u of each entry. So the bound
of `forward.py` is taken on the rotated model, with its unit multiplied by d^(3/2).
"""

from __future__ import annotations

import torch

from edgeprune_core.task import Task
from edgeprune_core.weights import Model, Weights
from tracrcheck.invariants.base import Violations, each_task, invariant
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.forward import DOUBLE
from tracrcheck.invariants.renumbering import with_model
from tracrcheck.invariants.subjects import generator_of, has_no_norm, some_items

WRITES = ("tok", "pos", "w_o", "b_o", "w_out", "b_out")
READS = ("w_q", "w_k", "w_v", "w_in", "w_gate", "unembed")


def turned(task: Task, seed: int) -> Task:
    """The same task with the stream rotated by a random orthogonal matrix."""
    d = task.model.spec.d_model
    q, _ = torch.linalg.qr(torch.randn(d, d, generator=generator_of(seed), dtype=torch.float64))
    tensors = {
        name: t @ q if name in WRITES else q.T @ t if name in READS else t
        for name, t in task.model.weights.tensors().items()
    }
    return with_model(task, Model(task.model.spec, Weights(**tensors)))


@invariant("rotating the residual stream changes no output where there is no norm", applies=has_no_norm)
@each_task()
def rotation(task: Task, seed: int) -> Violations:
    unit, other = DOUBLE * task.model.spec.d_model**1.5, turned(task, seed)
    items, mask = some_items(task, seed), mask_of(task, *some_circuits(task.graph, seed))
    want = expected(other, mask, items, unit=unit).around(task.outputs(mask, items))
    yield from want.violations("the stream turned", other.outputs(mask, items))
