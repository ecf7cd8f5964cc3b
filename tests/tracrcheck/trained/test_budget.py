"""How much of an evaluation fits into some minutes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgeprune_core.ablations import ABLATIONS
from edgeprune_core.circuit import Circuit
from edgeprune_core.trained_models import load_model
from tests.tracrcheck.commands.english import graph
from tracrcheck.trained import budget, discover
from tracrcheck.trained.budget import fitted
from tracrcheck.trained.prompts import judging_list


def plan(seconds: float, *, prompts: int = 200, draws: int = 100, each: float = 0.1):
    return fitted(prompts=prompts, draws=draws, ablations=3, each=each, seconds=seconds)


def test_what_fits_is_done_whole():
    found = plan(1e6)
    assert (found.prompts, found.draws, found.whole) == (200, 100, True)
    assert found.seconds == pytest.approx(0.1 * 200 * 3 * 204)
    assert found.sentence() == "evaluation on 200 prompts against 100 random circuits: about 204 min"


def test_random_circuits_are_given_up_first_then_prompts():
    fewer_circuits = plan(0.1 * 200 * 3 * 64)
    assert (fewer_circuits.prompts, fewer_circuits.draws) == (200, 30)
    fewer_prompts = plan(0.1 * 50 * 3 * 24)
    assert (fewer_prompts.prompts, fewer_prompts.draws) == (50, 10)
    assert fewer_prompts.sentence().endswith("; 200 prompts and 100 circuits were wanted (--minutes)")


@pytest.mark.parametrize("seconds", [60.0, 600.0, 3600.0])
@pytest.mark.parametrize("each", [0.001, 0.03, 0.3])
def test_a_plan_costs_no_more_than_it_may_and_uses_most_of_it_unless_it_is_whole(seconds, each):
    found = plan(seconds, each=each)
    least = each * 8 * 3 * 8
    assert found.seconds <= max(seconds, least)
    assert found.whole or found.seconds >= min(0.7 * seconds, least) or found.draws > 2


def test_a_few_prompts_and_draws_are_always_used():
    found = plan(0.001)
    assert (found.prompts, found.draws) == (8, 2)
    tiny = plan(0.001, prompts=3, draws=2)
    assert (tiny.prompts, tiny.draws, tiny.whole) == (3, 2, True)


def test_the_time_of_a_trial_is_shared_among_its_circuits_and_prompts(monkeypatch):
    clock = iter([0.0, 80.0])
    monkeypatch.setattr(budget.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(budget, "faithfulness", lambda *args, **more: None)
    circuits = 4 + 2 * budget.TRIED_DRAWS
    assert budget.seconds_each(SimpleNamespace(items=[0] * 5), None) == 80 / (5 * circuits)


@pytest.fixture
def english():
    return load_model("english")


@pytest.fixture
def pairs(english):
    return judging_list("ioi", english.tokenizer, n=4, seed=0).pairs


def test_the_evaluation_under_every_ablation_counts(english, pairs, monkeypatch):
    asked = {}
    monkeypatch.setattr(discover, "seconds_each", lambda *args, **more: 1.0)
    monkeypatch.setattr(discover, "fitted", lambda **given: asked.update(given) or fitted(**given))
    discover.judge(english, pairs, Circuit.of(graph(), ["tok -> out"]), draws=2, minutes=0.01)
    assert asked["ablations"] == len(ABLATIONS)


def test_random_circuits_are_drawn_with_the_seed(english, pairs):
    circuit = Circuit.of(graph(), ["tok -> m0", "m0 -> out"])
    means = [
        [cell.null.mean for cell in discover.judge(english, pairs, circuit, draws=3, seed=seed).cells]
        for seed in (1, 2, 1)
    ]
    assert means[0] == means[2] != means[1]
