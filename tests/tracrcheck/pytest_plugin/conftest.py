"""Small projects written on the spot, run in this process with our plugin and no other."""

from __future__ import annotations

import json

import pytest

# What a plugin run loads, loaded here first: a run in this process unloads the modules that it was first to load.
from tests.tracrcheck.conftest import _own_cache  # noqa: F401
from tracrcheck import pytest_items  # noqa: F401

PRUNERS = """
import os
import shutil
import signal
import time

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.methods import RandomEdges
from tests.tracrcheck.pruners import judge, knows_the_answer as right


def wrong(task):
    return [*right(task).texts[1:], "tok -> out"]


def wrong_reverse(task):
    return ["a3.h0 -> out", "tok -> out"]


def ranked(task):
    return Discovery(circuit=Circuit.empty(task.graph), scores=torch.zeros(task.graph.n_edges))


def nan(task):
    return Discovery(circuit=Circuit.empty(task.graph), scores=torch.full((task.graph.n_edges,), torch.nan))


def hangs(task):
    while True:
        time.sleep(0.01)


def each_in_its_own_way(task):
    match task.name, task.ablation.name:
        case "hist", "resample":
            raise ValueError("no luck")
        case "hist", "zero":
            hangs(task)
        case "xproportion", "resample":
            return nan(task)
        case "xproportion", "zero":
            return ["a9.h0 -> out"]
        case "successor", "resample":
            return None
        case "successor", "zero":
            pytest.skip("not today")
        case "swap_ab", "zero":
            if "PYTEST_XDIST_WORKER" in os.environ:
                os.kill(judge(), signal.SIGKILL)
                time.sleep(60)
        case "length", "resample":
            os._exit(0)
        case "length", "zero":
            raise ValueError("\\udce9 and \\x1b[31m")  # text that no file holds
    return ["tok -> m0", "m0 -> out"]


def interrupts(task):
    os.kill(judge(), signal.SIGINT)
    time.sleep(60)


def takes_the_folder(task):
    shutil.rmtree("there", ignore_errors=True)
    return wrong(task)


def for_some_seeds(task):
    return wrong(task) if task.seed in (3, 5, 7, 11) else right(task)
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """`project.run("--tracrcheck-method=pruners:right")`; `project.json` is what it wrote."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # of the run this one is a test of
    pytester.makepyfile(pruners=PRUNERS)
    return Project(pytester)


class Project:
    def __init__(self, pytester) -> None:
        self.pytester, self.path = pytester, pytester.path

    def run(self, *words, xdist=False):
        plugins = ["-p", "tracrcheck.pytest_plugin", *(["-p", "xdist"] if xdist else [])]
        return self.pytester.runpytest_inprocess(
            *plugins, "-p", "no:cacheprovider", *words, no_reraise_ctrlc=True
        )

    @property
    def json(self):
        return json.loads((self.path / "out.json").read_text())
