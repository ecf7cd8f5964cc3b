"""Clusters that do not answer and workers that lack what the driver has are refused before any work is done."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from threading import Thread

import pytest

from edgeprune_core.errors import CheckError
from tests.tracrcheck.executors import pool_work
from tests.tracrcheck.executors.waiting import until
from tracrcheck.executors import dask_cluster as clusters
from tracrcheck.executors import fingerprint
from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.dask_worker import Terms
from tracrcheck.executors.pool import sweep
from tracrcheck.records.sources import method_sha

ROOT = Path(__file__).parents[4]
WORKER = [sys.executable, "-m", "distributed.cli.dask_worker"]


def swept(work, units, at):
    return sorted(sweep(work, units, jobs=1, lost=None, cluster=at))


# Only workers that have what we have --------------------------------------------------------------------


def refused(code, work, at, match=""):
    with pytest.raises(CheckError, match=code) as caught:
        swept(work, [1, 2], at)
    assert match in str(caught.value)
    return str(caught.value)


def another(tmp_path, change):
    """A folder with both packages, changed in one place."""
    for package in ("tracrcheck", "edgeprune_core"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "tracrcheck", tmp_path / "tests" / "tracrcheck")
    change(tmp_path / "tracrcheck")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "bar.py").write_text("another"), "sources of tracrcheck: "),
        (
            lambda folder: (folder / "executors" / "dask_worker.py").unlink(),
            "ModuleNotFoundError: No module named 'tracrcheck.executors.dask_worker'",
        ),
    ],
)
def test_a_worker_with_other_sources_or_none_is_named_and_gets_no_work(dask, at, tmp_path, change, message):
    another(tmp_path, change)
    before = set(dask.scheduler.workers)
    other = subprocess.Popen(
        [*WORKER, at.address, "--nthreads", "1", "--no-nanny", "--no-dashboard"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: set(dask.scheduler.workers) - before)
        (address,) = set(dask.scheduler.workers) - before
        whole = refused("TC176", pool_work.square, at, message)
        assert whole.startswith(f"TC176 {address}: a worker differs from what this run is made of\n")
        assert "edgeprune_core" not in whole
    finally:
        other.kill()
        other.wait()


def test_a_worker_without_a_program_file_or_with_another_is_refused(at, tmp_path, monkeypatch):
    path = tmp_path / "mine.py"
    path.write_text("one")
    with_file = replace(at, files=(str(path),))
    assert swept(pool_work.square, [2], with_file) == [(0, 4)]
    monkeypatch.setattr(
        clusters,
        "fingerprint",
        lambda *given: fingerprint.fingerprint(*given) | {"program": {str(path): "f" * 64}},
    )
    refused(
        "TC176",
        pool_work.square,
        with_file,
        f"program {path}: {fingerprint._sha(path)[:12]} there, ffffffffffff now",
    )
    path.unlink()
    refused("TC176", pool_work.square, with_file, f"program {path}: No such file or directory there")


def test_a_method_that_a_worker_cannot_import_is_reported_with_the_worker(at, tmp_path, monkeypatch):
    (tmp_path / "here_only.py").write_text("def method(task): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    message = refused("TC176", pool_work.square, replace(at, methods=("here_only:method",)))
    assert message.startswith("TC176 tcp://127.0.0.1:")
    now = method_sha("here_only:method")
    assert f"got     method here_only:method: No module named 'here_only' there, {now[:12]} now\n" in message


def test_our_methods_are_part_of_our_sources_however_they_are_named():
    names = ["random", "edgeprune_core.methods.random_edges:RandomEdges", "no_such_module.at_all:method"]
    assert list(fingerprint.fingerprint([], names)["method"].values()) == [
        "ours", "ours", "No module named 'no_such_module.at_all'",
    ]  # fmt: skip


@pytest.mark.parametrize("part", ["python", "versions"])
def test_another_version_is_refused(at, monkeypatch, part):
    def older(*given):
        ours = fingerprint.fingerprint(*given)
        return ours | {part: "3.1" if part == "python" else ours[part] | {"torch": "0.1"}}

    monkeypatch.setattr(clusters, "fingerprint", older)
    refused("TC176", pool_work.square, at, "now")


def test_what_computes_stands_in_the_passport_with_its_version():
    found = fingerprint.fingerprint([], [])
    assert found["versions"] == {name: version(name) for name in ("torch", "numpy", "tracr-pypi")}
    assert found["python"] == platform.python_version()
    assert set(found["sources of"]) == {"edgeprune_core", "tracrcheck"}


@pytest.mark.slow
def test_the_folder_of_the_driver_is_where_methods_are_found(at, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def method(task): ...\n")
    monkeypatch.chdir(tmp_path)
    assert swept(pool_work.square, [2], replace(at, methods=("mine:method",))) == [(0, 4)]


# No cluster --------------------------------------------------------------------------------------------


def test_a_sweep_with_nothing_left_runs_nothing():
    assert swept(pool_work.square, [], Cluster(address="nonsense")) == []


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


@pytest.mark.parametrize("address", ["nonsense", "what://1:2", "tcp://", "tcp://host"])
def test_a_malformed_address_starts_no_client(call, monkeypatch, address):
    """A client that was started would print a traceback of Dask's after the command."""
    import distributed

    def started(*args, **more):
        raise AssertionError("started")

    monkeypatch.setattr(distributed, "Client", started)
    result = call("gate", "hist", "--cluster", address)
    assert result.exit_code == 2
    assert result.stderr.startswith(
        f"TC174 --cluster {address} no Dask scheduler answers\n    got     ValueError: "
    )


def test_without_a_certificate_no_encrypted_scheduler_is_contacted(call):
    result = call("gate", "--cluster", "tls://127.0.0.1:1")
    assert result.exit_code == 2
    assert "got     ValueError: no certificate of a client in Dask's configuration" in result.stderr


@pytest.fixture
def deserted(monkeypatch):
    """A scheduler without workers."""
    from distributed import LocalCluster

    monkeypatch.setattr(clusters, "EMPTY", 0.3)
    monkeypatch.setattr(clusters, "DESERTED", 0.3)
    with LocalCluster(n_workers=0, dashboard_address=":0", protocol="tcp") as empty:
        yield empty.scheduler_address


def test_a_cluster_without_workers_is_reported(deserted):
    message = refused("TC175", pool_work.square, Cluster(address=deserted), "none for 0.3 s")
    assert "start some with `dask worker ADDRESS`" in message


TERMS = Terms(sweep="one", fingerprint={}, folder="/", threads=1)


def test_a_cluster_whose_workers_are_all_gone_is_reported_after_a_while(deserted):
    from distributed import Client

    with Client(deserted, set_as_default=False) as client, pytest.raises(CheckError, match="TC175"):
        list(clusters._Round(client, TERMS, pool_work.square, [1], lambda unit: unit, 2).results())


@pytest.mark.slow
def test_a_scheduler_that_is_killed_ends_the_run_with_a_message(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command, address = (
        [sys.executable, "-m", "distributed.cli.dask_scheduler"],
        f"tcp://127.0.0.1:{free_port()}",
    )
    scheduler = subprocess.Popen(
        [*command, "--host", address, "--no-dashboard"], stderr=subprocess.DEVNULL, start_new_session=True
    )
    worker = subprocess.Popen(
        [*WORKER, address, "--nthreads", "1", "--no-nanny", "--no-dashboard"], stderr=subprocess.DEVNULL
    )
    try:
        Thread(target=lambda: (until(lambda: any(tmp_path.iterdir())), scheduler.kill()), daemon=True).start()
        with pytest.raises(CheckError, match="TC177"):
            swept(pool_work.sleeps, [str(tmp_path)], Cluster(address=address))
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_local_processes_and_a_cluster_cannot_be_combined(call):
    result = call("gate", "hist", "--cluster", "tcp://127.0.0.1:1", "--jobs", "2")
    assert result.exit_code == 2
    assert result.stderr.startswith("TC117 --jobs, --cluster local processes and a cluster's workers\n")


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
        "TC117 --cluster an option for a campaign together with one for a single program\n"
    )
