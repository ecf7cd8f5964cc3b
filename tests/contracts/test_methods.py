"""The contract of every method in the table: on compiled programs, planted programs and prompts."""

from __future__ import annotations

import pytest
import torch
from typer.testing import CliRunner

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.methods import METHODS, Swept
from tests import zoo
from tests.edgeprune_core.methods.subjects import llama, prompts
from tests.tracrcheck.planted.models import planted
from tracrcheck.cli import app
from tracrcheck.grading.by_name import find_method
from tracrcheck.runs import compare as comparing
from tracrcheck.trained import pareto
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

# Edge pruning and random edges have tests of their own.
RANKING = sorted(name for name in METHODS if not name.startswith("edge_pruning") and name != "random")
ABLATIONS = ["zero", "mean", "resample"]


def tasks(ablation: str) -> dict[str, object]:
    setting = Setting(ablation=ablation, lengths=(2, 2))
    return {
        "compiled": task_of(zoo.compiled("xproportion"), setting),
        "planted": task_of(planted("hist", 3, 2, 3).compiled, setting),
        "prompts": prompts(llama(), ablation, n=3),
    }


@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("name", RANKING)
def test_a_method_returns_an_accepted_circuit_without_dangling_edges_and_a_score_for_every_edge(
    name, ablation
):
    for kind, task in tasks(ablation).items():
        before = task.model.digest()
        found = METHODS[name](task)
        assert isinstance(found, Discovery)
        assert task.accepts(found.circuit), kind
        assert 0 < len(found.circuit) < task.graph.n_edges, kind
        assert found.circuit == found.circuit.connected()
        assert found.scores.shape == (task.graph.n_edges,)
        assert found.scores.isfinite().all()
        assert task.model.digest() == before
    again = METHODS[name](task)
    assert again.circuit == found.circuit
    assert torch.equal(again.scores, found.scores)


@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("name", ["acdc", "exact"])
def test_a_planted_circuit_is_found_by_patching_edges_one_by_one(name, ablation):
    made = planted("hist", 3, 2, 3)
    setting = Setting(ablation=ablation, lengths=(1, 2))
    truth = made.mapped(certify(task_of(made.original, setting), setting).required)
    assert truth
    assert METHODS[name](task_of(made.compiled, setting)).circuit == truth


@pytest.mark.parametrize("name", METHODS)
def test_every_command_takes_every_name(name, monkeypatch):
    method = find_method(name)
    assert method is METHODS[name]
    sweep = pareto.sweep_of(name)
    if isinstance(method, Swept):
        monkeypatch.setattr(type(method), "sweep", lambda self, task: iter([(0.5, task)]))
        assert sweep("task").candidates == [(0.5, "task")]


def test_a_new_row_goes_through_gate_compare_and_discover_by_name(monkeypatch, tmp_path):
    def every_edge(task):
        return Discovery(circuit=Circuit.full(task.graph), scores=torch.arange(task.graph.n_edges).double())

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(METHODS, "new_row", every_edge)
    monkeypatch.setattr(comparing, "curve_elsewhere", pareto.curve)  # another process has another table
    few = ["--task", "greater_than", "--prompts", "4"]
    calls = {
        "gate": (
            ["hist", "--ablation", "zero", "--method", "new_row"],
            1,
            "FAILS hist, zero, value, new_row",
        ),
        "compare": ([*few, "--seeds", "1", "--methods", "new_row"], 0, "new_row"),
        "discover": ([*few, "--draws", "2", "--method", "new_row"], 0, "english: new_row, resample ablation"),
    }
    for command, (words, code, message) in calls.items():
        result = CliRunner().invoke(app, [command, *words])
        assert result.exit_code == code, result.output
        assert message in result.stdout
