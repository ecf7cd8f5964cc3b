"""Two versions compared: what was right and is now wrong, and what got slower."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tracrcheck.error_codes import user_error
from tracrcheck.grading.verdict import Verdict, exit_code
from tracrcheck.rasp.domain import WHOLE
from tracrcheck.records.journal import differences
from tracrcheck.records.machine import in_words
from tracrcheck.runs.gate import GATE, Results
from tracrcheck.runs.results import loaded

# Medians below this are not compared: on a shared machine the start of a thread or a full cache is as long.
FLOOR = 0.5  # seconds
# By default: two runs of the same code on one machine were seen to differ by less.
SLOWER = 2.0

# What must be equal in both runs for a comparison to mean anything.
SAME = ("method", "criteria", "lengths", "score_bos", "inputs", "robust", "judge", "select")
LATER = {"inputs": WHOLE, "robust": False, "judge": "auto", "select": None}  # what older files do not say


@dataclass(frozen=True, kw_only=True)
class Slower:
    """A program under an ablation, and the medians over its seeds, in seconds."""

    program: str
    ablation: str
    before: float
    now: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """now_wrong, now_right: verdicts as they are now. missing: verdicts of the baseline that this run has not.

    new_wrong: verdicts that do not hold and have none in the baseline to be compared with.
    """

    now_wrong: tuple[Verdict, ...]
    now_right: tuple[Verdict, ...]
    slower: tuple[Slower, ...]
    missing: tuple[Verdict, ...]
    new_wrong: tuple[Verdict, ...]
    compared: int
    factor: float
    machines: tuple[str, ...] = ()

    @property
    def regressed(self) -> bool:
        return bool(self.now_wrong or self.slower)

    def exit_code(self, code: int, *, allow_known: bool = False, allow_unknown: bool = False) -> int:
        """Of a run that ended with `code` by itself. allow_known: what is wrong in the baseline too fails nothing."""
        if allow_known and code == 1:
            code = exit_code(self.new_wrong, allow_unknown=allow_unknown)
        return code or int(self.regressed)


def read_baseline(path: Path, asked: Mapping[str, Any]) -> Results:
    """Results that a run of this kind can be compared with. Errors: TC143 (no results file), TC144 (of another kind)."""
    baseline = GATE.read(path, loaded(path))
    differs = differences(LATER | baseline.run["asked"], LATER | dict(asked), SAME)
    if differs:
        raise user_error("TC144.settings", where=path, got="; ".join(differs))
    return baseline


def compare(
    baseline: Results, verdicts: Sequence[Verdict], run: Mapping[str, Any], *, factor: float = SLOWER
) -> Comparison:
    """Verdict by verdict, and median by median: slower by more than `factor` and not below the floor.

    run: how the verdicts were made, as in a results file. Errors: TC144, where nothing is in both.
    """
    then = {v.key: v for v in baseline.verdicts}
    both = [(then[v.key], v) for v in verdicts if v.key in then]
    keys = {v.key for v in verdicts}
    if verdicts and not both:
        raise user_error(
            "TC144.verdicts", where=baseline.path, got=f"{len(baseline.verdicts)} other verdicts"
        )
    return Comparison(
        now_wrong=tuple(n for t, n in both if _right(t) and not _right(n)),
        now_right=tuple(n for t, n in both if _right(n) and not _right(t)),
        slower=tuple(_slower(both, factor)),
        missing=tuple(v for v in baseline.verdicts if v.key not in keys),
        new_wrong=tuple(v for v in verdicts if v.key not in then and not _right(v)),
        compared=len(both),
        factor=factor,
        machines=tuple(dict.fromkeys(in_words(made["machine"]) for made in (baseline.run, run))),
    )


class FromFile(Protocol):
    """Results of any kind."""

    @property
    def path(self) -> Path: ...


def compared(found: FromFile, path: Path, *, factor: float = SLOWER) -> Comparison:
    """A results file with that of another version at `path`. Errors: TC117 (not of the gate), TC143, TC144."""
    if not isinstance(found, Results):
        raise user_error("TC117.baseline", where="--baseline", got=f"results of another kind in {found.path}")
    return compare(read_baseline(path, found.run["asked"]), found.verdicts, found.run, factor=factor)


def _right(verdict: Verdict) -> bool:
    return verdict.verdict == "HOLDS"


def _slower(both: Sequence[tuple[Verdict, Verdict]], factor: float) -> list[Slower]:
    groups: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for then, now in both:
        groups.setdefault((now.program, now.ablation), []).append((then.seconds, now.seconds))
    found = []
    for (program, ablation), pairs in groups.items():
        before, after = (statistics.median(x) for x in zip(*pairs, strict=True))
        if after >= FLOOR and after > factor * before:
            found.append(Slower(program=program, ablation=ablation, before=before, now=after))
    return found
