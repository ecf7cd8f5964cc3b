"""How much of an evaluation fits into some minutes."""

from __future__ import annotations

import pytest

from tracrcheck.trained.budget import fitted


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
