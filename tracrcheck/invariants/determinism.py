"""The same seed gives the same circuit, bit for bit.

A method draws every random choice from the task's seed. It neither reads nor advances the global generator, whose state
differs between the two calls here.
"""

from __future__ import annotations

import torch

from edgeprune_core.methods import Eap, EdgePruningBounded, Method, RandomEdges
from edgeprune_core.methods.candidates import Restarts
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.quick import QUICK
from tracrcheck.invariants.subjects import Subject

METHODS: tuple[Method, ...] = (
    RandomEdges(keep_fraction=0.5),
    Eap(n_edges=10),
    EdgePruningBounded(steps=4, circuits=4, restarts=Restarts(count=0)),
    QUICK,
)


def determinism(subject: Subject, seed: int) -> Violation | None:
    for method in METHODS:
        name, task = type(method).__name__, subject.tasks["resample"]
        first = method(task)
        state = torch.get_rng_state()
        torch.rand(1)
        before = torch.get_rng_state()
        second = method(task)
        moved = not torch.equal(before, torch.get_rng_state())
        torch.set_rng_state(state)
        if moved:
            return Violation(f"the global generator in {name}", "moved", "left alone")
        if first.circuit != second.circuit:
            odd = sorted(map(str, first.circuit.edges ^ second.circuit.edges))
            return Violation(f"the circuit of {name}, twice", f"differing in {odd[:4]}", "equal")
        assert first.scores is not None
        assert second.scores is not None
        if not torch.equal(first.scores, second.scores):
            return Violation(f"the scores of {name}, twice", "other bits", "equal")
    return None


DETERMINISM = Invariant(
    name="determinism",
    statement="the same seed gives the same circuit and scores, bit for bit",
    check=determinism,
)
