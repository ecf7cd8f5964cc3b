"""The figures of SmolLM2 that are committed: the guide shows them, and they meet their bars."""

from __future__ import annotations

import json
import re
from pathlib import Path

from edgeprune_core.tasks import TASKS

ROOT = Path(__file__).parents[2]
FOUND = json.loads((ROOT / "ci" / "bench" / "results" / "tasks-smollm2.json").read_text())


def test_the_guide_shows_how_well_it_does_each_task_and_four_reach_nine_prompts_of_ten():
    rows = {row["task"]: row for row in FOUND["tasks"]}
    assert list(rows) == list(TASKS)
    guide = (ROOT / "docs" / "trained.md").read_text()
    shown = re.findall(r"^\| `(\w+)` \| (\d+%) \| (-?[\d.]+) \| (-?[\d.]+) \|$", guide, re.MULTILINE)
    assert shown == [
        (name, f"{row['accuracy']:.0%}", f"{row['margin']:.2f}", f"{row['corrupted']:.2f}")
        for name, row in rows.items()
    ]
    (claim,) = re.findall(r"nine prompts of ten or more in (.*?);", guide, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", claim)) == {
        name for name, row in rows.items() if row["accuracy"] >= 0.9
    }
    assert sum(row["accuracy"] >= 0.9 for row in rows.values()) >= 4


def test_the_logits_are_within_their_bars():
    rows = json.loads((ROOT / "ci" / "bench" / "results" / "logits-smollm2.json").read_text())
    assert {row["dtype"] for row in rows} == {"float32", "float64"}
    assert all(row["worst"] <= {"float32": 1e-4, "float64": 1e-9}[row["dtype"]] for row in rows)
