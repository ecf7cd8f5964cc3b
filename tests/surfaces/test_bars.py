"""Results that are committed meet their bars, whether they are stale or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import zoo
from tracrcheck import results
from tracrcheck.bar import Bar
from tracrcheck.fuzz_results import FuzzResults
from tracrcheck.profiles import PROFILES
from tracrcheck.results import Results

FOLDER = Path(__file__).parents[2] / "ci" / "results"
# Of all settings that are not vacuous, the share that each method must get right.
LEAST = {"edge_pruning": 1.0, "edge_pruning_pathwise": 0.95}


def short_of_the_bar(found: Results | FuzzResults) -> list[str]:
    """What is below its bar, in words."""
    asked = found.run["asked"]
    if not found.run["finished"]:
        return ["not finished"]
    if isinstance(found, FuzzResults):
        return list(found.score(Bar()).short)
    counted = [v for v in found.verdicts if not v.vacuous]
    share = sum(v.verdict == "HOLDS" for v in counted) / len(counted)
    short = [] if share >= LEAST[asked["method"]] else [f"{share:.2%} hold"]
    if missing := set(zoo.NAMES) - set(asked["programs"]):
        short.append(f"without {', '.join(sorted(missing))}")
    return short


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_what_is_committed_meets_its_bar(path):
    assert short_of_the_bar(results.read_any(path)) == []


def test_the_full_profile_is_committed_as_it_is_asked_for():
    asked = results.read(FOLDER / "gate-full.json").run["asked"]
    full = PROFILES["full"]
    assert asked["method"] == "edge_pruning"
    assert tuple(asked["ablations"]) == full.ablations
    assert asked["seeds"] == list(range(full.seeds))
    assert (asked["criteria"], asked["lengths"], asked["score_bos"]) == (["value"], None, False)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda found: found["run"].update(finished=False), "not finished"),
        (lambda found: found["run"]["asked"]["programs"].remove("reverse"), "without reverse"),
        (lambda found: found["verdicts"][0].update(verdict="FAILS"), "hold"),
    ],
)
def test_a_file_below_its_bar_is_told(change, told, tmp_path):
    document = json.loads((FOLDER / "gate-full.json").read_text())
    change(document)
    found = Results(
        path=tmp_path,
        run=document["run"],
        verdicts=tuple(results.Verdict.from_json(v) for v in document["verdicts"]),
        summary=document["summary"],
    )
    (short,) = short_of_the_bar(found)
    assert told in short
