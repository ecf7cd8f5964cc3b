"""Units of work in several processes: the same results, whatever dies on the way, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracrcheck.executors import pool_work
from tests.tracrcheck.executors.waiting import alive, until
from tracrcheck.executors.pool import sweep

ROOT = Path(__file__).parents[3]


def nothing_is_lost(unit, why):
    raise AssertionError(f"{unit}: {why}")


def test_two_jobs_give_what_one_gives():
    units = list(range(12))
    one = list(sweep(pool_work.square, units, jobs=1, lost=nothing_is_lost))
    two = list(sweep(pool_work.square, units, jobs=2, lost=nothing_is_lost))
    assert one == [(n, n * n) for n in units]
    assert sorted(two) == one


def test_one_job_starts_no_process_and_needs_no_joblib(monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    assert list(sweep(pool_work.square, [3], jobs=1, lost=nothing_is_lost)) == [(0, 9)]


def test_a_process_that_dies_costs_a_retry_and_a_unit_that_always_kills_it_is_given_up_alone(tmp_path):
    units = [(n, {2: "die once", 5: "die"}.get(n, ""), str(tmp_path)) for n in range(9)]
    found = dict(sweep(pool_work.sometimes, units, jobs=2, lost=lambda unit, why: (unit[0], why)))
    number, why = found.pop(5)
    assert (number, why) == (5, "the process at work on it died, 2 times of 2")
    assert found == {n: n for n in range(9) if n != 5}


def test_a_unit_that_kills_its_process_is_tried_as_often_as_it_is_said(tmp_path):
    done = dict(sweep(pool_work.dies_and_counts, [str(tmp_path)], jobs=2, lost=lambda unit, why: why))
    assert done == {0: "the process at work on it died, 2 times of 2"}
    assert (tmp_path / "times").read_text() == "xx"


def test_what_the_work_raises_ends_the_sweep():
    with pytest.raises(ValueError, match="unit two"):
        list(sweep(pool_work.refuses, [1, 2, 3], jobs=2, lost=nothing_is_lost))


# A process started in the background of a shell ignores Ctrl-C, and so do its children: these do not.
SLEEPERS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.tracrcheck.executors import pool_work
from tracrcheck.executors.pool import sweep
try:
    list(sweep(pool_work.sleeps, [{folder!r}] * 4, jobs=2, lost=None))
except KeyboardInterrupt:
    raise SystemExit(130)
"""


@pytest.mark.parametrize(
    ("signalled", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_no_worker_outlives_its_run(tmp_path, signalled, code):
    run = subprocess.Popen(
        [sys.executable, "-c", SLEEPERS.format(folder=str(tmp_path))],
        cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    workers = [int(p.name) for p in tmp_path.iterdir()]
    assert all(map(alive, workers))
    os.kill(run.pid, signalled)
    assert run.wait(timeout=30) == code
    until(lambda: not any(map(alive, workers)))
