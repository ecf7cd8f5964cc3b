"""`--device` of every command that runs a trained model: one that is not there is refused before the work."""

from __future__ import annotations

import json

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.trained_models import load_model

WORDS = {
    "discover": ["--task", "ioi"],
    "faithfulness": ["circuit.json", "--task", "ioi"],
    "overlap": ["circuit.json", "circuit.json", "--task-a", "ioi", "--task-b", "ioi"],
    "compare": ["--task", "ioi"],
    "tasks": ["ioi"],
}


@pytest.fixture
def _circuit(here):
    graph = ResidualGraph.of(load_model("english").model.spec)
    (here / "circuit.json").write_text(Circuit.of(graph, ["tok -> out"]).dumps())


@pytest.mark.usefixtures("_circuit")
@pytest.mark.parametrize("command", WORDS)
@pytest.mark.parametrize(("device", "got"), [("cuda", "no CUDA device that torch can use"), ("gpu", "cpu")])
def test_a_device_that_is_not_there_is_refused(command, device, got, call, here, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = call(command, *WORDS[command], "--device", device, "--json", "out.json")
    assert result.exit_code == 2, result.output
    first, *rest = result.stderr.splitlines()
    assert first.startswith("TC117 --device ")
    assert any(got in line for line in rest)
    assert not (here / "out.json").exists()


def test_curves_are_made_on_the_device_that_is_named(call, here):
    words = ["--task", "ioi", "--methods", "random", "--seeds", "1", "--prompts", "2", "--device", "cpu"]
    assert call("compare", *words, "--json", "out.json").exit_code == 0
    assert json.loads((here / "out.json").read_text())["run"]["asked"]["device"] == "cpu"
