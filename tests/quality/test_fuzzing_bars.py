"""The committed fuzzing runs, all of a size together, meet their bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.quality.bars import committed
from tests.quality.test_bars import made
from tests.tracrcheck.runs.test_fuzz_bar import features
from tracrcheck.generator.features import Composition
from tracrcheck.records.reading import plain
from tracrcheck.runs.fuzz import FuzzResults, Plan
from tracrcheck.runs.fuzz_program import Examined, Row, Trivial
from tracrcheck.runs.fuzz_score import Bar, score_of

# By the size of the programs: how many seeds there must be, of how many programs each, and the bar of all of them together.
FUZZED = {
    "small": (3, 500, Bar(overall=0.999, each_ablation=0.998)),
    "large": (1, 300, Bar(overall=0.99, each_ablation=0.99)),
}
ABLATIONS = ("zero", "mean", "resample")


def short_of_fuzzing(found: Sequence[FuzzResults], size: str) -> list[str]:
    seeds, programs, bar = FUZZED[size]
    counted = [f for f in found if f.plan.size == size and f.plan.programs >= programs]
    composition = Composition.of([done.program for f in counted for done in f.examined])
    score = score_of([row for f in counted for row in f.rows], composition, ABLATIONS, bar)
    few = [] if len({f.plan.seed for f in counted}) >= seeds else [f"fewer than {seeds} seeds"]
    return [*few, *score.short]


@pytest.mark.parametrize("size", FUZZED)
def test_what_is_committed_meets_its_bar(size):
    assert short_of_fuzzing([f for f in committed().values() if isinstance(f, FuzzResults)], size) == []


def fuzzed(n: int, seed: int = 1, programs: int = 500, **change) -> FuzzResults:
    """500 programs in three settings each, all exact but those of the first n under `zero`, which have this change."""
    plan = Plan(method="exact", seed=seed, programs=programs, ablations=ABLATIONS, timeout=60.0)

    def row(number: int, ablation: str) -> Row:
        verdict = replace(
            made().verdicts[0], ablation=ablation, **(change if ablation == "zero" and number < n else {})
        )
        return Row(number=number, verdict=verdict, proved=(), n_permitted=9, certify_seconds=0.1,
                   trivial=Trivial(permitted="FAILS", random="FAILS"))  # fmt: skip

    rows = [row(number, name) for number in range(500) for name in ABLATIONS]
    examined = (Examined(program=features(), rows=tuple(rows)),)
    return FuzzResults(path=Path("made.json"), run={"asked": plain(plan)}, examined=examined)


FINE = [fuzzed(0, 2), fuzzed(0, 3)]
NARROW = {"verdict": "UNKNOWN", "reason": "sufficient is not proved: a narrow gap: 0 to 0.02 around 0.01"}
UNPROVED = {"verdict": "UNKNOWN", "reason": "smallest is not proved"}


@pytest.mark.parametrize(
    ("found", "short"),
    [
        (FINE, ["fewer than 3 seeds"]),
        ([*FINE, fuzzed(0)], []),
        ([*FINE, fuzzed(0, 2)], ["fewer than 3 seeds"]),
        ([*FINE, fuzzed(0, programs=499)], ["fewer than 3 seeds"]),
        ([*FINE, fuzzed(3, verdict="FAILS")], []),
        ([*FINE, fuzzed(4, verdict="FAILS")], ["zero: 1496 of 1500 exact, at least 99.8% wanted"]),
        ([*FINE, fuzzed(4, **UNPROVED)], ["zero: 1496 of 1500 exact, at least 99.8% wanted"]),
        ([*FINE, fuzzed(5, verdict="FAILS")], ["overall: 4495 of 4500 exact, at least 99.9% wanted", "zero: 1495 of 1500 exact, at least 99.8% wanted"]),
        ([*FINE, fuzzed(75, **NARROW)], []),
        ([*FINE, fuzzed(76, **NARROW)], ["zero: 76 of 1500 narrow, at most 5% wanted"]),
        ([*FINE, fuzzed(400, verdict="FAILS", vacuous=True)], []),
    ],
)  # fmt: skip
def test_fuzzing_below_its_bar_is_reported(found, short):
    assert short_of_fuzzing(found, "small") == short
