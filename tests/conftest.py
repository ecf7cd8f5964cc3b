"""What every test shares: one thread, fixed seeds, and properties that draw the same each time.

The environment variable TRACRCHECK_TEST_THREADS asks PyTorch for another number of threads.
"""

from __future__ import annotations

import gc
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before jax is first imported

import random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from tests import zoo

pytest_plugins = ["pytester"]

torch.set_num_threads(int(os.environ.get("TRACRCHECK_TEST_THREADS", "1")))
settings.register_profile(
    "tests", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


def pytest_collection_finish() -> None:
    """Runs Python's garbage collector less often: it took much of the tests' time.

    Imported objects are not frozen (`gc.freeze`): older versions of Hypothesis ask the collector what refers to an object.
    """
    gc.set_threshold(50_000, 10, 100)


@pytest.fixture(autouse=True)
def _fixed_seeds():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache of the tests' own, shared by the processes of a parallel run: each truth is proved once."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def compiled():
    """`compiled("reverse")`: a program of the zoo on the fast route, compiled once a session."""
    return zoo.compiled


@pytest.fixture(scope="session")
def oracle():
    """`oracle("reverse")`: the same program through Haiku, compiled once a session."""
    return zoo.oracle
