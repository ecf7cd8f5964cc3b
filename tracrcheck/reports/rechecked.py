"""What was made again and came out otherwise, in a line each."""

from __future__ import annotations

from tracrcheck.invariant_results import Check
from tracrcheck.recheck import Again, CheckedAgain
from tracrcheck.reports.text import recheck_line


def line_of(pair: Again | CheckedAgain) -> str:
    return recheck_line(pair) if isinstance(pair, Again) else _checked_line(pair)


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
