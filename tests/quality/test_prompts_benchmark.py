"""`ci/bench/prompts.py` measures `discover`, and says which figures are within the bar."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ci.bench import prompts


@pytest.mark.parametrize(("peak", "step", "met"), [(110, 11.0, True), (111, 10.0, False), (100, 11.1, False)])
def test_memory_and_time_are_each_held_to_the_bar(peak, step, met):
    first = {"prompts": 200, "peak_mib": 100, "step_ms": 10.0}
    assert prompts.judged({"prompts": 9, "peak_mib": peak, "step_ms": step}, first)["met"] is met


def test_steps_of_discover_are_measured(monkeypatch):
    advance = prompts.PathwiseTraining.advance
    monkeypatch.setattr(prompts, "DISCOVER", (*prompts.DISCOVER[:-1], "0", "--draws", "2"))
    found = prompts.measured(6, 2)
    assert found["prompts"] == 6
    assert found["step_ms"] > 0
    assert found["peak_mib"] > 50
    assert prompts.PathwiseTraining.advance is advance


def test_the_committed_figures_are_within_the_bar():
    path = Path(__file__).parents[2] / "ci" / "bench" / "results" / "prompts.json"
    first, long = json.loads(path.read_text())["results"]
    assert (first["prompts"], long["prompts"]) == (200, 100_000)
    assert prompts.judged(long, first)["met"]
