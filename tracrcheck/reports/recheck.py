"""Results that differ when they are made again, one line each."""

from __future__ import annotations

from tracrcheck.reports.text import recheck_line
from tracrcheck.runs.false_alarm_results import QuietRun
from tracrcheck.runs.invariant_results import Check
from tracrcheck.runs.mutant_results import Found
from tracrcheck.runs.recheck import Again, AnyAgain, CheckedAgain, CurveAgain, FoundAgain


def line_of(pair: AnyAgain) -> str:
    if isinstance(pair, Again):
        return recheck_line(pair)
    if isinstance(pair, CheckedAgain):
        return _checked_line(pair)
    if isinstance(pair, FoundAgain):
        return f"DIFFERENT {pair.then.name}: {_caught(pair.then)} in the file, {_caught(pair.now)} now"
    if isinstance(pair, CurveAgain):
        return f"DIFFERENT curve of {pair.then.method}, seed {pair.then.seed}: other edges at some level, or none"
    return f"DIFFERENT seed {pair.then.seed}: {_quiet(pair.then)} in the file, {_quiet(pair.now)} now"


def _caught(found: Found) -> str:
    return found.status + (f" ({found.killed_by})" if found.killed_by else "")


def _quiet(run: QuietRun) -> str:
    return "quiet" if run.quiet else f"not quiet ({run.red or run.error})"


def _checked_line(pair: CheckedAgain) -> str:
    of = pair.then or pair.now
    assert of is not None, "a pair of nothing"
    return (
        f"DIFFERENT {of.invariant} on {of.subject}, seed {of.seed}: "
        f"{_held(pair.then)} in the file, {_held(pair.now)} now"
    )


def _held(check: Check | None) -> str:
    if check is None:
        return "not checked"
    return "held" if check.violation is None else f"broken ({check.violation})"
