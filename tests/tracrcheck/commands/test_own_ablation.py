"""Ablations that are added to the table from outside: every command computes with them, and with nothing else."""

from __future__ import annotations

import itertools
import json

import pytest
import torch

from edgeprune_core.ablations import ABLATIONS
from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.trained_models import load_model
from tests import zoo
from tests.tracrcheck.calls import finished
from tests.tracrcheck.commands.own_ablations import Halved, Ramp
from tests.tracrcheck.commands.test_gate import METHODS, RIGHT
from tracrcheck.truth import cache
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

FEW = ["--prompts", "4", "--draws", "2"]


@pytest.fixture(params=[Ramp(), Halved()], ids=lambda row: row.name)
def row(request, monkeypatch, tmp_path):
    monkeypatch.setitem(ABLATIONS, request.param.name, request.param)
    monkeypatch.setenv("TRACRCHECK_CACHE", str(tmp_path / "cache"))
    return request.param


def test_certify_finds_its_own_truth(row, call, here):
    ablations = ["--ablation", f"mean,{row.name}"]
    result = finished(call("certify", "hist", *ablations, "--json", "c.json"), 0)
    mean, own = json.loads((here / "c.json").read_text())["certificates"]
    assert (mean["ablation"], own["ablation"]) == ("mean", row.name)
    assert (len(mean["required"]), len(own["required"])) == (4, {"ramp": 12, "halved": 6}[row.name])
    assert own["proved"] == ["sufficient", "minimal", "smallest", "unique"]
    assert own["n_pairs"] == (7_380 if row.paired else 0)
    assert (" pairs of 120 inputs" in result.stdout) == row.paired


def test_gate_judges_under_it(row, call, here):
    words = ["hist", "--ablation", row.name, "--method"]
    finished(call("gate", *words, RIGHT), 0)
    result = finished(call("gate", *words, METHODS + "nothing_kept"), 1)
    assert f"FAILS hist, {row.name}, value, " in result.stdout
    assert (", corrupted by [" in result.stdout) == row.paired
    background = task_of(zoo.compiled("hist"), Setting(ablation=row.name))
    empty = Circuit.empty(background.graph)
    assert (
        background.deviations(empty).max()
        != task_of(zoo.compiled("hist"), Setting(ablation="mean")).deviations(empty).max()
    )


def test_all_stands_for_it_too(row, call, here):
    finished(call("gate", "hist", "--ablation", "all", "--method", RIGHT, "--json", "g.json"), 0)
    judged = json.loads((here / "g.json").read_text())["verdicts"]
    assert [v["ablation"] for v in judged] == ["zero", "mean", "resample", row.name]


def test_discover_and_faithfulness_measure_under_it(row, call, here):
    def kl_mean(name: str) -> float:
        words = ["--task", "ioi", "--method", "random", "--ablation", name, "--json", f"{name}.json"]
        finished(call("discover", *words, *FEW), 0)
        found = json.loads((here / f"{name}.json").read_text())
        assert found["asked"]["ablation"] == name
        return found["kl_mean"]

    assert abs(kl_mean(row.name) - kl_mean("mean")) > 0.01
    full = Circuit.full(ResidualGraph.of(load_model("english").model.spec))
    (here / "full.json").write_text(json.dumps(full.to_json()))
    finished(call("faithfulness", "full.json", "--task", "ioi", *FEW, "--json", "f.json"), 0)
    cells = json.loads((here / "f.json").read_text())["cells"]
    empty = {c["ablation"]: c["no_edges"] for c in cells if (c["direction"], c["metric"]) == ("kept", "kl")}
    assert list(empty) == ["zero", "mean", "resample", row.name]
    assert min(abs(empty[row.name] - empty[other]) for other in ("zero", "mean", "resample")) > 0.01


def test_a_cut_edge_may_carry_what_its_writer_cannot_write(monkeypatch):
    """Then the weights rule out no edge, and the search looks at every coordinate. Trying every circuit confirms the result."""
    monkeypatch.setitem(ABLATIONS, "ramp", Ramp())
    setting = Setting(ablation="ramp", lengths=(1, 3))
    task = task_of(zoo.compiled("hist"), setting)
    found = certify(task, setting)
    assert found.permitted == Circuit.full(task.graph)
    assert "unique" in found.proved
    edges = task.graph.edges
    circuits = [
        Circuit.of(task.graph, chosen)
        for size in range(len(found.required) + 1)
        for chosen in itertools.combinations(edges, size)
    ]
    off = torch.cat([task.deviations(circuits[i : i + 512]).amax(1) for i in range(0, len(circuits), 512)])
    assert [circuits[i] for i in (off <= task.outcome.limit).nonzero()[:, 0]] == [found.required]


def test_an_unused_component_carries_its_background_too(monkeypatch):
    """The component writes to no coordinate, yet its cut edges change what readers read."""
    monkeypatch.setitem(ABLATIONS, "ramp", Ramp())
    setting = Setting(ablation="ramp", lengths=(1, 2))
    found = certify(task_of(zoo.compiled("xproportion"), setting), setting)
    assert "unique" in found.proved
    assert "a0.h0 -> m0" in found.required.texts


def test_certificates_of_one_name_are_kept_apart(monkeypatch):
    """The cache's key depends on the ablation's fields."""
    keys = set()
    for level in (1.0, 2.0):
        monkeypatch.setitem(ABLATIONS, "ramp", Ramp(level))
        setting = Setting(ablation="ramp")
        keys.add(cache.key_of(task_of(zoo.compiled("hist"), setting), setting, cache.Limits()))
    assert len(keys) == 2
