"""A Dask cluster of two workers, each a process, that is begun once for all tests of this folder."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from tests.surfaces.conftest import call, here  # noqa: F401
from tracrcheck.cluster import Cluster


@pytest.fixture(scope="package")
def dask():
    """The cluster. What it logs when a worker is killed is meant."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    ) as cluster:  # fmt: skip
        yield cluster


@pytest.fixture
def at(dask) -> Cluster:
    """The cluster as sweeps know it, with both workers there."""
    until(lambda: len(workers(dask)) == 2)
    return Cluster(address=dask.scheduler_address)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TRACRCHECK_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def workers(cluster) -> list[str]:
    """Addresses."""
    return list(cluster.scheduler.workers)


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pids(cluster) -> list[int]:
    """Of the workers."""
    from distributed import Client

    with Client(cluster.scheduler_address, set_as_default=False) as client:
        return list(client.run(os.getpid).values())
