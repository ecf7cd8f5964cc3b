"""Results that are committed meet their bars, whether they are stale or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import zoo
from tracrcheck import results
from tracrcheck.bar import Bar
from tracrcheck.profiles import PROFILES
from tracrcheck.results import Results

FOLDER = Path(__file__).parents[2] / "ci" / "results"


def gate(name: str) -> Results:
    found = results.read(FOLDER / name)
    assert found.run["finished"]
    assert set(found.run["asked"]["programs"]) == set(zoo.NAMES)
    return found


def test_in_the_full_profile_every_verdict_holds():
    found = gate("gate-full.json")
    full = PROFILES["full"]
    assert found.run["asked"]["method"] == "edge_pruning"
    assert tuple(found.run["asked"]["ablations"]) == full.ablations
    assert found.run["asked"]["seeds"] == list(range(full.seeds))
    assert {v.verdict for v in found.verdicts} == {"HOLDS"}


def test_the_pathwise_gradient_finds_nearly_the_whole_zoo_under_resampling():
    found = gate("gate-pathwise.json")
    assert found.run["asked"]["method"] == "edge_pruning_pathwise"
    counted = [v for v in found.verdicts if v.ablation == "resample" and not v.vacuous]
    assert len(counted) > 0.9 * len(zoo.NAMES)
    assert sum(v.verdict == "HOLDS" for v in counted) >= 0.95 * len(counted)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("fuzz-*.json")), ids=lambda path: path.stem)
def test_programs_that_nobody_wrote_reach_the_bar(path):
    found = results.read_any(path)
    assert found.run["finished"]
    assert found.score(Bar()).short == ()


def test_three_draws_of_programs_are_committed():
    assert len(list(FOLDER.glob("fuzz-*.json"))) >= 3
