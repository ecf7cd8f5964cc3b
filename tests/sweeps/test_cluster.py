"""Units of work handed to a cluster: the same results, whatever dies on the way, and nobody left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgeprune_core.errors import CheckError
from tests.surfaces import sweep_work
from tests.sweeps.conftest import alive, until
from tracrcheck import cluster as clusters
from tracrcheck import passport
from tracrcheck.cluster import Cluster
from tracrcheck.sweep import sweep

ROOT = Path(__file__).parents[2]


def nothing_is_lost(unit, why):
    raise AssertionError(f"{unit}: {why}")


def swept(work, units, at, lost=nothing_is_lost):
    return sorted(sweep(work, units, jobs=1, lost=lost, cluster=at))


def some(folder, **what):
    """Nine units, two of which do something else."""
    return [(n, what.get(f"u{n}", ""), str(folder)) for n in range(9)]


def test_a_cluster_gives_what_one_process_gives(at):
    assert swept(sweep_work.square, list(range(12)), at) == [(n, n * n) for n in range(12)]


def test_a_process_that_dies_costs_a_retry_and_a_unit_that_always_kills_it_is_given_up(at, tmp_path):
    units = some(tmp_path, u2="die once", u5="die")
    found = dict(swept(sweep_work.sometimes, units, at, lost=lambda unit, why: (unit[0], why)))
    assert found.pop(5) == (5, "the process at work on it died, 2 times of 2 when it ran alone")
    assert found == {n: n for n in range(9) if n != 5}
    assert len(list(tmp_path.glob("5-*"))) == 2


def test_a_worker_that_is_killed_costs_a_retry(at, tmp_path):
    found = swept(sweep_work.sometimes, some(tmp_path, u2="kill once"), at)
    assert found == [(n, n) for n in range(9)]
    assert len(list(tmp_path.glob("2-*"))) == 2


def test_a_unit_that_always_kills_its_worker_is_given_up_and_the_others_are_done(
    at, dask, tmp_path, monkeypatch
):
    monkeypatch.setattr(dask.scheduler, "allowed_failures", 0)
    units = some(tmp_path, u5="kill")
    found = dict(swept(sweep_work.sometimes, units, at, lost=lambda unit, why: (unit[0], why)))
    assert found.pop(5) == (5, "the process at work on it died, 2 times of 2 when it ran alone")
    assert found == {n: n for n in range(9) if n != 5}
    assert len(list(tmp_path.glob("5-*"))) == 3  # with others, and twice alone


def test_what_the_work_raises_ends_the_sweep_and_says_where_it_was_raised(at):
    with pytest.raises(ValueError, match="unit two") as raised:
        swept(sweep_work.refuses, [1, 2, 3], at)
    assert "in refuses" in raised.value.__notes__[0]


def test_an_error_that_cannot_be_sent_is_told_in_words(at):
    with pytest.raises(RuntimeError, match="Stubborn: no luck"):
        swept(sweep_work.stubborn, [1], at)


# Nobody is left behind: a process begun in the background of a shell ignores Ctrl-C, and so do its children.
DRIVER = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.surfaces import sweep_work
from tracrcheck.cluster import Cluster
from tracrcheck.sweep import sweep
try:
    list(sweep(sweep_work.sleeps, [{folder!r}] * 4, jobs=1, lost=None, cluster=Cluster(address={address!r})))
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
    found = swept(sweep_work.own_pid, [1, 2, 3], at)
    until(lambda: not any(alive(pid) for _, pid in found))


# Only workers that have what we have --------------------------------------------------------------------


def refused(code, work, at, match=""):
    with pytest.raises(CheckError, match=code) as told:
        swept(work, [1, 2], at)
    assert match in str(told.value)
    return str(told.value)


def test_a_worker_with_other_sources_is_named_and_gets_no_work(dask, at, tmp_path):
    for package in ("tracrcheck", "edgeprune_core"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    changed = tmp_path / "tracrcheck" / "bar.py"
    changed.write_text(changed.read_text() + "# another\n")
    shutil.copytree(ROOT / "tests" / "surfaces", tmp_path / "tests" / "surfaces")
    before = set(dask.scheduler.workers)
    other = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", at.address, "--nthreads", "1", "--no-nanny", "--no-dashboard"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: set(dask.scheduler.workers) - before)
        (address,) = set(dask.scheduler.workers) - before
        told = refused("TC176", sweep_work.square, at, "sources of tracrcheck: ")
        assert told.startswith(f"TC176 {address}: a worker has not what this run is made of\n")
        assert "edgeprune_core" not in told
    finally:
        other.kill()
        other.wait()


def test_a_worker_without_a_program_file_or_with_another_is_refused(at, tmp_path, monkeypatch):
    path = tmp_path / "mine.py"
    path.write_text("one")
    with_file = replace(at, files=(str(path),))
    assert swept(sweep_work.square, [2], with_file) == [(0, 4)]
    monkeypatch.setattr(
        clusters, "passport", lambda *given: passport.passport(*given) | {"program": {str(path): "f" * 64}}
    )
    refused(
        "TC176",
        sweep_work.square,
        with_file,
        f"program {path}: {passport._sha(path)[:12]} there, ffffffffffff now",
    )
    path.unlink()
    refused("TC176", sweep_work.square, with_file, f"program {path}: No such file or directory there")


def test_a_method_that_a_worker_cannot_import_is_told_with_the_worker(at, tmp_path, monkeypatch):
    (tmp_path / "here_only.py").write_text("def method(task): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    told = refused("TC176", sweep_work.square, replace(at, methods=("here_only:method",)))
    assert told.startswith("TC176 tcp://127.0.0.1:")
    assert (
        "the method 'here_only:method' cannot be imported (ModuleNotFoundError: No module named 'here_only')"
        in told
    )


@pytest.mark.parametrize("part", ["python", "versions"])
def test_another_version_is_refused(at, monkeypatch, part):
    def older(*given):
        ours = passport.passport(*given)
        return ours | {part: "3.1" if part == "python" else ours[part] | {"torch": "0.1"}}

    monkeypatch.setattr(clusters, "passport", older)
    refused("TC176", sweep_work.square, at, "now")


@pytest.mark.slow
def test_the_folder_of_the_driver_is_where_methods_are_found(at, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def method(task): ...\n")
    monkeypatch.chdir(tmp_path)
    assert swept(sweep_work.square, [2], replace(at, methods=("mine:method",))) == [(0, 4)]


# No cluster --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "address"),
    [
        ("gate", "tcp://127.0.0.1:1"),
        ("fuzz", "what://1:2"),
        ("mutants", "nonsense"),
        ("invariants", "nonsense"),
    ],
)
def test_where_no_scheduler_answers_the_call_is_wrong(call, monkeypatch, command, address):
    monkeypatch.setattr(clusters, "CONNECT", 0.3)
    result = call(command, "--cluster", address)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"TC174 --cluster {address} no Dask scheduler answers\n    got ")


def test_a_cluster_without_workers_is_told(monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr(clusters, "CONNECT", 0.3)
    with LocalCluster(n_workers=0, dashboard_address=":0", protocol="tcp") as empty:
        address = Cluster(address=empty.scheduler_address)
        told = refused("TC175", sweep_work.square, address, "none for 0.3 s")
    assert "begin some with `dask worker ADDRESS`" in told


def test_processes_here_and_a_cluster_are_not_asked_for_together(call):
    result = call("gate", "hist", "--cluster", "tcp://127.0.0.1:1", "--jobs", "2")
    assert result.exit_code == 2
    assert result.stderr.startswith("TC117 --jobs, --cluster processes here and workers elsewhere\n")


def test_what_is_not_installed_is_named(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = call("gate", "hist", "--cluster", "tcp://127.0.0.1:1")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "TC173 --cluster tcp://127.0.0.1:1 no `distributed`, which --cluster needs\n"
    )
    assert "do      pip install 'tracrcheck[cluster]'" in result.stderr


def test_a_program_has_no_use_for_a_cluster(call):
    result = call("fuzz", "--number", "3", "--cluster", "tcp://127.0.0.1:1")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "TC117 --cluster an option of a campaign, beside that of a single program\n"
    )
