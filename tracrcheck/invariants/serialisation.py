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
from edgeprune_core.weights import Model
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.circuits import some_circuits
from tracrcheck.invariants.subjects import Subject, is_program
from tracrcheck.truth.cache import certificate_for
from tracrcheck.truth.setting import Setting


def circuit_and_model(subject: Subject, seed: int) -> Violation | None:
    for circuit in [*some_circuits(subject.graph, seed), Circuit.empty(subject.graph)]:
        if (back := Circuit.from_json(json.loads(circuit.dumps()))) != circuit:
            return Violation("a circuit read back", back.texts[:4], circuit.texts[:4])
    spec = subject.spec
    if (same := ModelSpec.from_json(json.loads(json.dumps(spec.to_json())))) != spec:
        return Violation("a spec read back", same, spec)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        subject.model.save(path)
        loaded = Model.load(path)
    if loaded.spec != spec or loaded.digest() != subject.model.digest():
        return Violation("a model read back", loaded.digest(), subject.model.digest())
    return None


def certificate(subject: Subject, seed: int) -> Violation | None:
    for name, task in subject.tasks.items():
        if task.accepts(Circuit.empty(task.graph)):
            continue
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, TRACRCHECK_CACHE=folder):
            written, back = (certificate_for(task, Setting(ablation=name)) for _ in range(2))
        if back != written:
            return Violation(f"a certificate read back, under {name}", back, written)
    return None


CIRCUIT_AND_MODEL = Invariant(
    name="circuit_and_model",
    statement="a circuit, a spec and a model read back equal",
    check=circuit_and_model,
)
CERTIFICATE = Invariant(
    name="certificate", statement="a certificate reads back equal", check=certificate, applies=is_program
)
