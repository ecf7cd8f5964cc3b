"""Edge pruning with a bounded divergence: it finds what compiled models require, restarting gentler where it does not."""

from __future__ import annotations

import dataclasses

import pytest

from edgeprune_core.methods import METHODS, EdgePruningBounded
from edgeprune_core.methods.candidates import Restarts
from edgeprune_core.training.prices import FixedPrice
from tests import zoo
from tests.edgeprune_core.methods.test_edge_pruning_score_function import required, task


def test_it_finds_xproportion():
    method = METHODS["edge_pruning_bounded"]
    assert method(task("xproportion", "resample")).circuit == required("xproportion", "resample")


@pytest.mark.slow
def test_it_finds_nearly_the_whole_zoo_under_resampling():
    method, wrong, n = METHODS["edge_pruning_bounded"], [], 0
    for name in zoo.NAMES:
        if truth := required(name, "resample"):
            n += 1
            if method(task(name, "resample")).circuit != truth:
                wrong.append(name)
    assert len(wrong) <= 0.05 * n, wrong


def test_a_restart_is_slower_and_gentler_and_the_first_training_is_neither():
    settings = EdgePruningBounded(steps=100, circuits=16, learning_rate=0.08, price=FixedPrice(per_edge=0.04))
    assert settings.slower(1.0) == settings
    eighth = settings.slower(0.125)
    assert (eighth.steps, eighth.circuits) == (400, 64)
    assert (eighth.learning_rate, eighth.price.per_edge) == (0.01, 0.005)


def test_a_tolerance_nothing_can_meet_ends_after_all_restarts():
    work = task("xproportion", "zero")
    strict = dataclasses.replace(work, outcome=dataclasses.replace(work.outcome, tolerance=-1.0))
    few = EdgePruningBounded(steps=2, circuits=2, restarts=Restarts(count=3))
    found = few(strict)
    assert found.hard_evaluations == 4
    assert found.steps == sum(few.slower(factor).steps for factor in (1, 0.5, 0.25, 0.125))
