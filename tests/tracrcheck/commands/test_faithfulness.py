"""`tracrcheck faithfulness`: a circuit judged on prompts, with the metrics that are chosen."""

from __future__ import annotations

import json

import pytest

from edgeprune_core.circuit import Circuit
from tests.tracrcheck.calls import finished
from tests.tracrcheck.commands.english import FEW, graph


def test_the_full_circuit_is_faithful_where_anything_could_be(call, here):
    (here / "full.json").write_text(Circuit.full(graph()).dumps())
    result = finished(
        call("faithfulness", "full.json", "--task", "gendered_pronoun", *FEW, "--json", "f.json"), 0
    )
    cells = {
        (c["ablation"], c["direction"], c["metric"]): c
        for c in json.loads((here / "f.json").read_text())["cells"]
    }
    for ablation in ("zero", "mean", "resample"):
        assert cells[ablation, "kept", "kl"]["circuit"]["mean"] == pytest.approx(0, abs=1e-5)
        assert cells[ablation, "kept", "exact_match"]["circuit"]["mean"] == 1
    # Random circuits of all edges are the full one: no cell is better than those.
    assert result.stdout.splitlines()[-1].startswith("faithful in none of 30 cells")


def test_metrics_are_chosen_by_name_and_taken_from_outside(call, here):
    (here / "full.json").write_text(Circuit.full(graph()).dumps())
    (here / "mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from edgeprune_core import Metric\n"
        "def spread(task, outputs, items):\n"
        "    return outputs.std(-1).mean(-1)\n"
        "@dataclass(frozen=True)\n"
        "class Scaled(Metric):\n"
        "    name: str = 'scaled'\n"
        "    label: str = 'spread, of 1'\n"
        "    rescaled: bool = True\n"
        "    def __call__(self, task, outputs, items):\n"
        "        return spread(task, outputs, items)\n"
    )
    own = ["--metric", "mine:spread", "--metric", "kl", "--metric", "mine:Scaled"]
    words = ["faithfulness", "full.json", "--task", "ioi", *FEW]
    result = finished(call(*words, *own, "--json", "f.json"), 0)
    found = json.loads((here / "f.json").read_text())
    assert found["asked"]["metrics"] == ["mine:spread", "kl", "mine:Scaled"]
    kept = [c for c in found["cells"] if (c["ablation"], c["direction"]) == ("zero", "kept")]
    assert [c["metric"] for c in kept] == ["spread", "kl", "scaled"]
    assert len(found["cells"]) == 3 * 2 * 3
    assert kept[0]["circuit"]["mean"] == pytest.approx(kept[0]["model"], rel=1e-4) != kept[0]["no_edges"]
    assert (kept[2]["model"], kept[2]["no_edges"]) == (1, 0)
    assert result.stdout.count("spread, of 1") == result.stdout.count("KL, nats") == 6
    finished(call(*words, "--json", "all.json"), 0)
    ours = json.loads((here / "all.json").read_text())
    assert "metrics" not in ours["asked"]
    assert [c for c in ours["cells"] if c["metric"] == "kl"] == [
        c for c in found["cells"] if c["metric"] == "kl"
    ]
