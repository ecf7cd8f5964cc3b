"""A Dask cluster of two worker processes, started once for all tests of this folder."""

from __future__ import annotations

import logging
import os

import pytest

from tests.tracrcheck.executors.waiting import comes, until
from tracrcheck.executors.dask_cluster import Cluster


class Clusters:
    """Keeps one cluster, and starts another if a killed worker does not come back: its nanny may give up."""

    def __init__(self) -> None:
        self.stands = None

    def whole(self):
        if self.stands is not None and not comes(lambda: len(workers(self.stands)) == 2, 30.0):
            self.close()
        if self.stands is None:
            self.stands = _begun()
        return self.stands

    def close(self) -> None:
        if self.stands is not None:
            self.stands.close()
        self.stands = None


def _begun():
    """Its log is off: the tests kill workers on purpose."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    )  # fmt: skip


@pytest.fixture(scope="package")
def clusters():
    found = Clusters()
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def dask(clusters):
    """The cluster, once both workers are there."""
    return clusters.whole()


@pytest.fixture
def at(dask) -> Cluster:
    """The cluster as `sweep` takes it."""
    until(lambda: len(workers(dask)) == 2)
    return Cluster(address=dask.scheduler_address)


def workers(cluster) -> list[str]:
    """The addresses of the workers."""
    return list(cluster.scheduler.workers)


def pids(cluster) -> list[int]:
    """The process ids of the workers."""
    from distributed import Client

    with Client(cluster.scheduler_address, set_as_default=False) as client:
        return list(client.run(os.getpid).values())
