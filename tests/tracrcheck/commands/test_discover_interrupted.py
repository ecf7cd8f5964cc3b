"""`tracrcheck discover` while it works: off a terminal it says so, and what was found is kept if the evaluation is stopped."""

from __future__ import annotations

import json

import pytest

from edgeprune_core.circuit import Circuit
from tracrcheck.reports.render import terminal
from tracrcheck.trained import discover as discovering

WORDS = ["--task", "ioi", "--method", "eap", "--edges", "40", "--prompts", "6", "--draws", "2"]


@pytest.mark.parametrize(
    "stop", [KeyboardInterrupt, RuntimeError("a fault of the evaluation")], ids=["Ctrl-C", "a fault"]
)
def test_the_circuit_and_its_scores_are_kept(call, here, monkeypatch, stop):
    def judge(*args, **rest):
        raise stop

    with monkeypatch.context() as patch:
        patch.setattr(discovering, "judge", judge)
        result = call("discover", *WORDS, "--out", "found", "--json", "out.json", "--html", "out.html")
    assert result.exit_code == (130 if stop is KeyboardInterrupt else 2)
    assert "Traceback" not in result.output
    document = json.loads((here / "out.json").read_text())
    assert document["faithfulness"] is None
    assert len(document["scores"]) == document["n_edges"] > 0
    kept = Circuit.from_json(json.loads((here / "found" / "circuit.json").read_text()))
    assert kept == Circuit.from_json(document["circuit"])
    assert not (here / "out.html").exists()
    page = call("report", "out.json", "--html", "out.html")
    assert page.exit_code == 0, page.output
    assert "not judged" in (here / "out.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--method", "eap", "--edges", "40"], {"the method", "the evaluation"}),
        (
            ["--steps", "2", "--edges", "40", "--init", "eap"],
            {"the ranking to start from", "training", "the evaluation"},
        ),
    ],
    ids=["eap", "edge pruning"],
)
def test_off_a_terminal_each_part_says_that_it_goes_on(call, here, monkeypatch, words, said):
    begun = []
    real = terminal.still_running
    monkeypatch.setattr(
        terminal, "still_running", lambda label, total=None: begun.append(label) or real(label, total)
    )
    assert call("discover", "--task", "ioi", *words, "--prompts", "4", "--draws", "2").exit_code == 0
    assert set(begun) == said
