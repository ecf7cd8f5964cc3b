"""Circuits, models and certificates read back equal to what was written.

A circuit goes through JSON, a model through a file, a certificate through the cache. Nothing may be lost, not the last bit of
a weight, nor the seconds that a proof took (so a certificate that was computed again does not count as read).
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from unittest import mock

from edgeprune_core.circuit import Circuit
from edgeprune_core.spec import ModelSpec
from edgeprune_core.task import Task
from edgeprune_core.weights import Model
from tracrcheck.invariants.base import Violations, each_task, equal, invariant
from tracrcheck.invariants.circuits import some_circuits
from tracrcheck.invariants.subjects import Subject, is_program
from tracrcheck.truth.cache import certificate_for
from tracrcheck.truth.setting import Setting


@invariant("a circuit, a spec and a model read back equal")
def circuit_and_model(subject: Subject, seed: int) -> Violations:
    for circuit in [*some_circuits(subject.graph, seed), Circuit.empty(subject.graph)]:
        yield from equal("a circuit read back", Circuit.from_json(json.loads(circuit.dumps())), circuit)
    spec = subject.spec
    yield from equal("a spec read back", ModelSpec.from_json(json.loads(json.dumps(spec.to_json()))), spec)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        subject.model.save(path)
        loaded = Model.load(path)
    yield from equal("the spec of a model read back", loaded.spec, spec)
    yield from equal("the digest of a model read back", loaded.digest(), subject.model.digest())


@invariant("a certificate reads back equal", applies=is_program)
@each_task()
def certificate(task: Task, seed: int) -> Violations:
    if not task.accepts(Circuit.empty(task.graph)):
        setting = Setting(ablation=task.ablation.name)
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, TRACRCHECK_CACHE=folder):
            written, back = (certificate_for(task, setting) for _ in range(2))
        yield from equal("a certificate read back", back, written)
