"""A worker process: reused, limited in time and memory, and replaced after whatever ended it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tracrcheck.executors import pool_work
from tests.tracrcheck.executors.waiting import alive, until
from tracrcheck.executors import dask_worker
from tracrcheck.executors.dask_worker import Terms
from tracrcheck.executors.worker import Died, TookTooLong, Worker, threads_here

ROOT = Path(__file__).parents[3]


@pytest.fixture
def worker():
    made = Worker(memory_mib=1024)
    yield made
    made.end()


def test_a_process_computes_with_as_many_threads_as_here_or_as_many_as_it_is_given(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    other, three = Worker(), Worker(threads=3)
    try:
        assert [w.run(threads_here) for w in (other, three)] == [2, 3]
    finally:
        for w in (other, three):
            w.end()


def test_a_process_is_reused_and_errors_do_not_end_it(worker):
    first = worker.run(os.getpid)
    assert first != os.getpid()
    with pytest.raises(ValueError, match="unit two") as raised:
        worker.run(pool_work.refuses, 2)
    assert "in refuses" in raised.value.__notes__[0]
    with pytest.raises(RuntimeError, match="Stubborn: no luck"):
        worker.run(pool_work.stubborn, 1)
    with pytest.raises(SystemExit):
        worker.run(sys.exit, 0)
    assert worker.run(os.getpid) == first


@pytest.mark.parametrize("code", [0, 3])
def test_a_process_that_leaves_with_any_exit_code_died_and_is_replaced(worker, code):
    with pytest.raises(Died):
        worker.run(os._exit, code)
    assert worker.run(pool_work.square, 3) == 9


def test_a_call_that_exceeds_its_time_is_killed_and_others_are_not(worker, tmp_path):
    first = worker.run(os.getpid)
    with pytest.raises(TookTooLong):
        worker.run(pool_work.sleeps, str(tmp_path), seconds=1.0)
    assert not alive(first)
    assert worker.run(pool_work.square, 3, seconds=60.0) == 9


def test_memory_beyond_the_limit_is_an_error_of_the_call(worker):
    with pytest.raises(MemoryError):
        worker.run(bytearray, 2**31)
    assert len(worker.run(bytearray, 2**20)) == 2**20


def test_an_interpreter_that_ends_does_not_wait_for_a_call_under_way():
    code = "import time; from tracrcheck.executors.worker import Worker\n"
    code += "worker = Worker(); worker.run(time.sleep, 0); worker.submit(time.sleep, 600)"
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)
    assert time.monotonic() - started < 60


def test_on_a_dask_worker_an_idle_process_is_ended_after_a_while(monkeypatch):
    monkeypatch.setattr(dask_worker, "IDLE", 0.5)
    terms = Terms(sweep="idle", fingerprint={}, folder=str(ROOT), threads=1)
    made = Worker()
    pid = made.run(os.getpid)
    dask_worker._put_back(terms, made)
    assert dask_worker._taken(terms) is made
    time.sleep(1.0)
    assert alive(pid)  # a process that was taken is not idle
    dask_worker._put_back(terms, made)
    until(lambda: not alive(pid))
    assert dask_worker._idle["idle"] == {}
