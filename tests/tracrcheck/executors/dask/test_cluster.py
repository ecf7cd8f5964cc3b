"""Units of work on a cluster: the same results, whatever dies on the way, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeprune_core.errors import CheckError
from tests.tracrcheck.executors import pool_work
from tests.tracrcheck.executors.waiting import alive, until
from tracrcheck.executors import dask_cluster as clusters
from tracrcheck.executors.dask_worker import Done, Terms
from tracrcheck.executors.pool import sweep
from tracrcheck.executors.worker import packed

ROOT = Path(__file__).parents[4]
WORKER = [sys.executable, "-m", "distributed.cli.dask_worker"]


def nothing_is_lost(unit, why):
    raise AssertionError(f"{unit}: {why}")


def swept(work, units, at, lost=nothing_is_lost):
    return sorted(sweep(work, units, jobs=1, lost=lost, cluster=at))


def some(folder, **what):
    """Nine units. u2="die": unit 2 does this instead of returning its number."""
    return [(n, what.get(f"u{n}", ""), str(folder)) for n in range(9)]


def test_a_cluster_gives_what_one_process_gives(at):
    assert swept(pool_work.square, list(range(12)), at) == [(n, n * n) for n in range(12)]


def test_a_process_that_dies_costs_a_retry_and_a_unit_that_always_kills_it_is_given_up(at, tmp_path):
    units = some(tmp_path, u2="die once", u5="die")
    found = dict(swept(pool_work.sometimes, units, at, lost=lambda unit, why: (unit[0], why)))
    assert found.pop(5) == (5, "the process at work on it died, 2 times of 2")
    assert found == {n: n for n in range(9) if n != 5}
    assert len(list(tmp_path.glob("5-*"))) == 2


def test_a_worker_that_is_killed_costs_a_retry(at, tmp_path):
    found = swept(pool_work.sometimes, some(tmp_path, u2="kill once"), at)
    assert found == [(n, n) for n in range(9)]
    assert len(list(tmp_path.glob("2-*"))) == 2


def test_a_unit_that_always_kills_its_worker_is_given_up_and_the_others_are_done(
    at, dask, tmp_path, monkeypatch
):
    monkeypatch.setattr(dask.scheduler, "allowed_failures", 0)
    units = some(tmp_path, u5="kill")
    found = dict(swept(pool_work.sometimes, units, at, lost=lambda unit, why: (unit[0], why)))
    assert found.pop(5) == (5, "the process at work on it died, 2 times of 2")
    assert found == {n: n for n in range(9) if n != 5}
    assert len(list(tmp_path.glob("5-*"))) == 3  # with others, and twice alone


def test_what_the_work_raises_ends_the_sweep_and_says_where_it_was_raised(at):
    with pytest.raises(ValueError, match="unit two") as raised:
        swept(pool_work.refuses, [1, 2, 3], at)
    assert "in refuses" in raised.value.__notes__[0]


def test_an_error_that_cannot_be_sent_is_reported_in_words(at):
    with pytest.raises(RuntimeError, match="Stubborn: no luck"):
        swept(pool_work.stubborn, [1], at)


# A process started in the background of a shell ignores Ctrl-C, and so do its children: this one does not.
DRIVER = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.tracrcheck.executors import pool_work
from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.pool import sweep
try:
    list(sweep(pool_work.sleeps, [{folder!r}] * 4, jobs=1, lost=None, cluster=Cluster(address={address!r})))
except KeyboardInterrupt:
    raise SystemExit(130)
"""


@pytest.mark.parametrize(("signalled", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_process_works_on_for_a_driver_that_is_gone(at, tmp_path, signalled, code):
    run = subprocess.Popen(
        [sys.executable, "-c", DRIVER.format(folder=str(tmp_path), address=at.address)],
        cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    at_work = [int(path.name) for path in tmp_path.iterdir()]
    assert all(map(alive, at_work))
    os.kill(run.pid, signalled)
    assert run.wait(timeout=30) == code
    until(lambda: not any(map(alive, at_work)))


def test_processes_leave_when_the_sweep_is_over(at, tmp_path):
    found = swept(pool_work.own_pid, [1, 2, 3], at)
    until(lambda: not any(alive(pid) for _, pid in found))


# What is made of each ending, without a cluster ----------------------------------------------------------


TERMS = Terms(sweep="one", fingerprint={}, folder="/", threads=1)


@dataclass
class Stub:
    """A client and a future in one. Each result is the next of the endings."""

    endings: list[str]
    sent: list[dict] = field(default_factory=list)
    scheduler = SimpleNamespace(address="tcp://s:1")

    def nthreads(self):
        return {"tcp://w:1": 1, "tcp://w:2": 1}

    def submit(self, *words, **more):
        self.sent.append(more)
        return replace(self)

    def result(self):
        ending = self.endings.pop(0)
        if ending == "import":
            raise ImportError("no such thing", path="tcp://w:1")
        return Done(ending, ["so"] if ending == "unlike" else packed(7), "tcp://w:1")

    def __hash__(self):
        return id(self)


def stubbed(monkeypatch, *endings):
    """The result of one unit, which is tried until an ending is final."""
    monkeypatch.setattr(clusters._Round, "_finished", lambda self: list(self.running))
    return list(clusters._Round(Stub([*endings]), TERMS, None, [1], lambda unit: "lost", 2).results())


def test_a_process_killed_before_it_begins_is_not_held_against_the_unit(monkeypatch):
    assert stubbed(monkeypatch, *["early"] * 9, "result") == [(0, 7)]
    assert stubbed(monkeypatch, "dropped", "died", "early", "dropped", "result") == [(0, 7)]
    assert stubbed(monkeypatch, "died", "died") == [(0, "lost")]
    with pytest.raises(CheckError, match="TC176") as caught:
        stubbed(monkeypatch, *["early"] * 20)
    assert "11 processes died before they began anything" in str(caught.value)


@pytest.mark.parametrize(("ending", "got"), [("unlike", "so"), ("import", "ImportError: no such thing")])
def test_a_worker_that_joins_later_and_differs_is_named(monkeypatch, ending, got):
    with pytest.raises(CheckError) as caught:
        stubbed(monkeypatch, ending)
    assert str(caught.value).startswith(
        f"TC176 tcp://w:1: a worker differs from what this run is made of\n    got     {got}\n"
    )


def test_where_a_process_died_its_unit_does_not_go_again_while_there_is_another_worker(monkeypatch):
    monkeypatch.setattr(clusters._Round, "_finished", lambda self: list(self.running))
    client = Stub(["died", "result"])
    list(clusters._Round(client, TERMS, None, [1], lambda unit: "lost", 2).results())
    assert [more.get("workers") for more in client.sent] == [None, ["tcp://w:2"]]
    assert client.sent[1]["allow_other_workers"]
