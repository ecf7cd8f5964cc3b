"""A committed results file, checked: its shape and sums, whether it is of these sources, and a share of it run again."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edgeprune_core.errors import CheckError
from tracrcheck.compiler.compile import Compiled
from tracrcheck.grading.run_method import find_method
from tracrcheck.grading.verdict import Verdict
from tracrcheck.mutants import MUTANTS
from tracrcheck.rasp.library import Entry, Library
from tracrcheck.records.journal import differences
from tracrcheck.records.machine import machine
from tracrcheck.records.sources import sources_of
from tracrcheck.runs import compare, false_alarms
from tracrcheck.runs import invariants as campaign
from tracrcheck.runs import mutants as runner
from tracrcheck.runs.false_alarm_results import FalseAlarmResults, QuietRun
from tracrcheck.runs.fuzz_program import ROOTS, Examined, Row, examine
from tracrcheck.runs.fuzz_results import FuzzResults
from tracrcheck.runs.gate import Plan, judge
from tracrcheck.runs.invariant_results import Check, Checks, InvariantResults
from tracrcheck.runs.mutant_results import Found, MutantResults
from tracrcheck.runs.results import AnyResults, Results
from tracrcheck.trained.curve import LEVELS, CompareResults, Curve
from tracrcheck.truth.program_check import prepare
from tracrcheck.truth.setting import Setting

SHARE = 0.02
# Seconds that the verdicts of a sample took when they were made; drawing stops there.
MOST_SECONDS = 40.0
# Parts of a machine that numbers may be rounded by.
ROUNDING = ("cpu", "platform", "torch", "numpy")


@dataclass(frozen=True, kw_only=True)
class Again:
    """A verdict of the file, and the same one made anew.

    elsewhere: on another machine. A processor that rounds otherwise may send a run that failed to another wrong answer,
    or to the right one; what is true, and what held, must be the same everywhere.
    beside_then, beside_now: what else of a row must be equal, where the file is one of fuzzing.
    """

    then: Verdict
    now: Verdict
    elsewhere: bool = False
    beside_then: Mapping[str, Any] = field(default_factory=dict)
    beside_now: Mapping[str, Any] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """The edges found are equal, and so is everything that follows from them."""
        essence = _truth if self.elsewhere and self.then.verdict != "HOLDS" else _essence
        return essence(self.then) == essence(self.now) and self.beside_then == self.beside_now


@dataclass(frozen=True, kw_only=True)
class CheckedAgain:
    """A check of the file, and the same one made anew; None where there is none such."""

    then: Check | None
    now: Check | None

    @property
    def same(self) -> bool:
        """Whether an invariant is broken; not by how much, which rounding decides."""
        return self.then is not None and self.now is not None and _holds(self.then) == _holds(self.now)


@dataclass(frozen=True, kw_only=True)
class FoundAgain:
    """A seeded fault of the file, and the same one run anew."""

    then: Found
    now: Found

    @property
    def same(self) -> bool:
        """Whether it is caught; not by what, which rounding may decide."""
        return self.then.status == self.now.status


@dataclass(frozen=True, kw_only=True)
class QuietAgain:
    """A run without a fault, and the same one made anew."""

    then: QuietRun
    now: QuietRun

    @property
    def same(self) -> bool:
        return self.then.quiet == self.now.quiet


@dataclass(frozen=True, kw_only=True)
class CurveAgain:
    """A method's curve, and the same one made anew. elsewhere: on another machine, whose rounding may lead another way."""

    then: Curve
    now: Curve
    elsewhere: bool

    @property
    def same(self) -> bool:
        """The fewest edges at each level are equal; elsewhere, it is a curve at all."""
        if self.elsewhere or self.then.fault or self.now.fault:
            return bool(self.then.fault) == bool(self.now.fault)
        return all(self.then.fewest(level) == self.now.fewest(level) for level in LEVELS)


AnyAgain = Again | CheckedAgain | FoundAgain | QuietAgain | CurveAgain


def _holds(check: Check) -> tuple[bool, bool]:
    return check.law, check.violation is None


def _truth(v: Verdict) -> tuple:
    return v.key, v.n_required, v.vacuous


def _essence(v: Verdict) -> tuple:
    return *_truth(v), v.verdict, v.found_sha, v.n_found, set(v.missing), set(v.extra)


def stale(results: AnyResults, library: Library) -> list[str]:
    """How the sources of a results file differ from those there are; nothing where it is current."""
    if isinstance(results, InvariantResults):
        return differences(results.run["sources"], campaign.sources(), campaign.sources().keys())
    if isinstance(results, MutantResults | FalseAlarmResults):
        return _stale_faults(results, library)
    if isinstance(results, CompareResults):
        now = compare.sources(results.run["asked"]["task"])
        return differences(results.run["sources"], now, now.keys())
    try:
        method = find_method(results.run["asked"]["method"])
        if isinstance(results, FuzzResults):
            now = sources_of([], method, roots=ROOTS)
        else:
            now = sources_of([e.path for e in _entries(results, library)], method)
    except CheckError as error:
        return [f"{error.what}"]
    return differences(results.run["sources"], now, now.keys())


def _stale_faults(results: MutantResults | FalseAlarmResults, library: Library) -> list[str]:
    asked = results.run["asked"]
    if (by := asked.get("by", "gauntlet")) != "gauntlet":
        now = dict(runner.battery_of(by).sources)
    else:
        try:
            entries = library.chosen(names) if (names := asked["programs"]) else []
        except CheckError as error:
            return [error.what]
        now = runner.sources([entry.path for entry in entries])
    gone = sorted(set(asked.get("mutants", ())) - set(MUTANTS))
    return [*differences(results.run["sources"], now, now.keys()), *(f"no fault {name} now" for name in gone)]


def sample(
    units: Sequence[Any], *, share: float = SHARE, seed: int, most_seconds: float = MOST_SECONDS
) -> list[Any]:
    """Of a file's `units`: at least one; at most `share` of them, and hardly more than `most_seconds` of work.

    A unit that alone takes longer is drawn only where all do: a survivor, for which every check was run.
    """
    order = [unit for unit in units if unit.seconds <= most_seconds] or list(units)
    random.Random(seed).shuffle(order)
    chosen: list[Any] = []
    for unit in order[: max(1, math.ceil(share * len(units)))]:
        if chosen and sum(u.seconds for u in chosen) + unit.seconds > most_seconds:
            continue
        chosen.append(unit)
    return chosen


def n_verdicts(units: Sequence[Any]) -> int:
    """How many verdicts, or checks, `again` makes of these units."""
    return sum(_size(unit) for unit in units)


def _size(unit: Any) -> int:
    match unit:
        case Examined():
            return len(unit.rows)
        case Checks():
            return len(unit.checks)
    return 1


def again(results: AnyResults, units: Sequence[Any], library: Library) -> Iterator[AnyAgain]:
    """Every verdict, check, fault or run of the chosen units made anew. Errors: those of compiling, TC153."""
    if isinstance(results, MutantResults):
        yield from (FoundAgain(then=then, now=runner.again(then, results.run["asked"])) for then in units)
        return
    if isinstance(results, FalseAlarmResults):
        for then in units:
            yield QuietAgain(then=then, now=false_alarms.again(then, results.run["asked"]))
        return
    if isinstance(results, InvariantResults):
        yield from (pair for then in units for pair in _checked_again(then, results.run["asked"]))
        return
    made, here = results.run["machine"], machine()
    elsewhere = any(made.get(part) != here[part] for part in ROUNDING)
    if isinstance(results, CompareResults):
        for then in units:
            now = compare.again(then, results.run["asked"])
            yield CurveAgain(then=then, now=now, elsewhere=elsewhere)
        return
    if isinstance(results, FuzzResults):
        pairs: Iterator[Again] = (
            pair for then in units for pair in _examined_again(then, results.run["asked"])
        )
    else:
        pairs = _judged_again(results, units, library)
    yield from (replace(pair, elsewhere=elsewhere) for pair in pairs)


def _checked_again(then: Checks, asked: Mapping[str, Any]) -> Iterator[CheckedAgain]:
    plan = campaign.Plan(
        invariants=tuple(asked["invariants"]), seeds=(then.seed,), programs=asked["programs"]
    )
    before = {check.invariant: check for check in then.checks}
    now = {check.invariant: check for check in campaign.checks(plan, then.seed, subject=then.subject)}
    for name in dict.fromkeys((*before, *now)):
        yield CheckedAgain(then=before.get(name), now=now.get(name))


def _examined_again(then: Examined, asked: Mapping[str, Any]) -> Iterator[Again]:
    settings = [Setting(ablation=row.ablation, criterion=row.verdict.criterion) for row in then.rows]  # type: ignore[arg-type]
    now = examine(
        asked["seed"], then.program.number, settings, method=asked["method"], timeout=asked["timeout"]
    )
    for row_then, row_now in zip(then.rows, now.rows, strict=True):
        yield Again(
            then=row_then.verdict,
            now=row_now.verdict,
            beside_then=_beside(then, row_then),
            beside_now=_beside(now, row_now),
        )


def _beside(done: Examined, row: Row) -> dict[str, Any]:
    trivial = dict(row.trivial)
    return {
        **done.program.to_json(),
        "proved": row.proved,
        "n_permitted": row.n_permitted,
        "trivial": trivial,
    }


def _judged_again(results: Results, chosen: Sequence[Verdict], library: Library) -> Iterator[Again]:
    asked = results.run["asked"]
    names = list(dict.fromkeys(v.program for v in chosen))
    ready, wrong = prepare([e for e in _entries(results, library) if e.program.name in names])
    for error in wrong:
        raise error
    by_name = {compiled.program.name: compiled for compiled in ready}
    method = find_method(asked["method"])
    for then in chosen:
        yield Again(then=then, now=_now(by_name[then.program], then, asked, method))


def _now(compiled: Compiled, then: Verdict, asked: dict, method) -> Verdict:
    lengths = asked["lengths"]
    setting = Setting(
        ablation=then.ablation,
        criterion=then.criterion,  # type: ignore[arg-type]
        lengths=tuple(lengths) if lengths else None,
        score_bos=asked["score_bos"],
    )
    plan = Plan(
        settings=(setting,),
        method=method,
        method_name=then.method,
        seeds=(then.seed,),
        timeout=asked["timeout"],
    )
    return next(judge(compiled, setting, (then.seed,), plan))


def _entries(results: Results, library: Library) -> list[Entry]:
    return library.chosen(results.run["asked"]["programs"])
