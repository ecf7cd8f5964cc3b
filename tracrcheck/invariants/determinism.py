"""The same seed gives the same circuit, bit for bit.

A method draws every random choice from the task's seed. It neither reads nor advances the global generator, whose state
differs between the two calls here.
"""

from __future__ import annotations

import torch

from edgeprune_core.methods import Eap, EdgePruningBounded, Method, RandomEdges
from edgeprune_core.methods.candidates import Restarts
from edgeprune_core.methods.edge_pruning_score_function import EdgePruningScoreFunction, Kicks
from edgeprune_core.task import Task
from edgeprune_core.training.cross_entropy import EliteSettings
from edgeprune_core.training.score_function import ScoreSettings
from tracrcheck.invariants.base import Violations, close, each_task, equal, invariant

# For checks of how edge pruning works rather than of what it finds.
QUICK = EdgePruningScoreFunction(
    score=ScoreSettings(steps=12, circuits=8),
    kicks=Kicks(elites=EliteSettings(most=16, patience=2, follow=2), rounds=1, steps=4, circuits=4),
    restarts=Restarts(count=1),
    budget=3,
)
TRAINED_AND_RANDOM: tuple[Method, ...] = (
    RandomEdges(keep_fraction=0.5),
    Eap(n_edges=10),
    EdgePruningBounded(steps=4, circuits=4, restarts=Restarts(count=0)),
    QUICK,
)


@invariant("the same seed gives the same circuit and scores, bit for bit")
@each_task("resample")
def determinism(task: Task, seed: int) -> Violations:
    for method in TRAINED_AND_RANDOM:
        name = type(method).__name__
        first = method(task)
        state = torch.get_rng_state()
        torch.rand(1)
        before = torch.get_rng_state()
        second = method(task)
        moved = not torch.equal(before, torch.get_rng_state())
        torch.set_rng_state(state)
        yield from equal(f"whether {name} moves the global generator", moved, False)
        yield from equal(f"the circuit of {name}, twice", first.circuit, second.circuit)
        assert first.scores is not None
        assert second.scores is not None
        yield from close(f"the scores of {name}, twice", first.scores, second.scores, 0)
