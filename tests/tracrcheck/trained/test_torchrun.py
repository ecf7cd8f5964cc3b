"""Several seeds asked at once: the same answers as one by one, and each fault with its own seed."""

from __future__ import annotations

import pytest
import torch

from tests.tracrcheck import pruners
from tracrcheck.grading.method_process import InProcess
from tracrcheck.grading.run_method import ask
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

SEEDS = (0, 1, 2)


@pytest.fixture
def task(compiled):
    return task_of(compiled("hist"), Setting())


def ask_all(method, task, **how):
    return InProcess(method).ask_all(task, **how)


def plain_answers(answers):
    return [(a.circuit, a.fault, a.detail) for a in answers]


def one_by_one(method, task):
    return plain_answers(ask(method, task, seed=seed, timeout=5) for seed in SEEDS)


@pytest.mark.parametrize(
    "method", [pruners.together, pruners.some_edges, pruners.only_for_even_seeds, pruners.foreign]
)
def test_the_answers_are_those_of_one_by_one(task, method):
    assert plain_answers(ask_all(method, task, seeds=SEEDS, timeout=5)) == one_by_one(method, task)


@pytest.mark.parametrize("fault", ["raises", "hangs", "too few", "foreign", "nothing"])
def test_where_anything_is_wrong_with_all_each_seed_has_its_own_reason(task, fault):
    method = pruners.Together(fault)
    answers = ask_all(method, task, seeds=SEEDS, timeout=0.2)
    assert plain_answers(answers) == one_by_one(method, task)
    assert [a.fault for a in answers] == [None, "raised", None]


def test_all_share_the_time_they_took(task):
    answers = ask_all(pruners.together, task, seeds=SEEDS, timeout=5)
    assert len({a.seconds for a in answers}) == 1
    assert answers[0].seconds > 0


def test_the_time_limit_is_that_of_all_seeds(task, monkeypatch):
    from contextlib import contextmanager

    from tracrcheck.grading import run_method

    limits = []

    @contextmanager
    def noted(seconds):
        limits.append(seconds)
        yield

    monkeypatch.setattr(run_method, "_time_limit", noted)
    ask_all(pruners.together, task, seeds=SEEDS, timeout=5)
    ask_all(pruners.together, task, seeds=SEEDS, timeout=None)
    assert limits == [15, None]


def test_one_seed_runs_by_itself(task, monkeypatch):
    monkeypatch.setattr(pruners.Together, "many", None)
    assert ask_all(pruners.together, task, seeds=(4,), timeout=5)[0].circuit is not None


def test_what_is_done_to_the_task_or_the_random_state_stays_there(task):
    class Spoils:
        def __call__(self, task):
            raise AssertionError

        def many(self, task, seeds):
            task.tokens.zero_()
            torch.rand(3)
            torch.set_grad_enabled(False)
            return [[] for _ in seeds]

    before, state = task.tokens.clone(), torch.get_rng_state()
    ask_all(Spoils(), task, seeds=SEEDS, timeout=5)
    assert torch.equal(task.tokens, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
