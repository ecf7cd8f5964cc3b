"""What the command line does with `--device`: what it writes is near to what a CPU gives, and nothing of it fails there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tracrcheck.cli import app

FEW = ("--prompts", "6", "--draws", "2")
# The rounding of float32 in another order of sums, as a share of a divergence or a probability.
NEAR = 1e-3


def written(*words: str, code: int = 0) -> dict[str, Any]:
    """What a command writes."""
    done = CliRunner().invoke(app, [*words, "--json", "out.json"])
    assert done.exit_code == code, done.output
    return json.loads(Path("out.json").read_text())


def discover_finds_the_same_edges(device: str) -> None:
    words = ("discover", "--task", "ioi", "--method", "eap", "--edges", "60", *FEW, "--device")
    there, here = (written(*words, at) for at in (device, "cpu"))
    edges, same = set(there["circuit"]["edges"]), set(here["circuit"]["edges"])
    assert len(edges & same) >= 0.95 * len(edges | same)  # near ties may fall either way
    assert there["kl_mean"] == pytest.approx(here["kl_mean"], rel=0.1)


def edge_pruning_trains(device: str) -> None:
    found = written("discover", "--task", "ioi", "--steps", "3", "--edges", "200", *FEW, "--device", device)
    assert 0 < found["n_edges"] <= 200


def faithfulness_gives_the_same_cells(device: str) -> None:
    words = ("discover", "--task", "ioi", "--method", "eap", "--edges", "60", *FEW, "--device", "cpu")
    assert CliRunner().invoke(app, [*words, "--out", "found"]).exit_code == 0
    judged = [
        written("faithfulness", "found/circuit.json", "--task", "ioi", *FEW, "--device", at)["cells"]
        for at in (device, "cpu")
    ]
    for there, here in zip(*judged, strict=True):
        if here["metric"] in ("kl", "recovered"):
            assert there["circuit"]["mean"] == pytest.approx(here["circuit"]["mean"], rel=NEAR, abs=NEAR)


def compare_draws_the_same_curve(device: str) -> None:
    words = ("compare", "--task", "ioi", "--methods", "eap", "--seeds", "1", "--prompts", "4", "--device")
    there, here = (written(*words, at) for at in (device, "cpu"))
    assert there["run"]["asked"]["device"] == device
    (one,), (other,) = there["curves"], here["curves"]
    assert one["fault"] is other["fault"] is None
    assert one["points"][-1]["held_out_kl"] == pytest.approx(other["points"][-1]["held_out_kl"], abs=NEAR)


def tasks_have_the_same_margins(device: str) -> None:
    words = ("tasks", "ioi", "greater_than", "--prompts", "6", "--device")
    for there, here in zip(*(written(*words, at)["tasks"] for at in (device, "cpu")), strict=True):
        assert there["margin"] == pytest.approx(here["margin"], rel=NEAR)


def the_gate_is_as_without_a_gpu(device: str) -> None:
    """It has no `--device`: compiled models run on the CPU, whatever else there is."""
    found = written("gate", "reverse", "--ablation", "zero", "--method", "edge_pruning_score_function")
    assert [row["verdict"] for row in found["verdicts"]] == ["HOLDS"]


COMMANDS: dict[str, Callable[[str], None]] = {
    check.__name__: check
    for check in (
        discover_finds_the_same_edges,
        edge_pruning_trains,
        faithfulness_gives_the_same_cells,
        compare_draws_the_same_curve,
        tasks_have_the_same_margins,
        the_gate_is_as_without_a_gpu,
    )
}
