"""Rechecks a results file: whether it is from today's sources, and whether a sample of it comes out the same again."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edgeprune_core.errors import CheckError
from tracrcheck.rasp.library import Library
from tracrcheck.records.journal import differences
from tracrcheck.records.machine import machine
from tracrcheck.runs.kinds import kind_of
from tracrcheck.runs.results import RunKind, RunResults

SHARE = 0.02
# Seconds the units of a sample took when they were made; the sample grows no further.
MOST_SECONDS = 40.0
# Parts of a machine that may change how numbers are rounded.
ROUNDING = ("cpu", "platform", "torch", "numpy")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A row of the file, and the same one made again; None if there is none on that side.

    elsewhere: the file was made on another machine. Rounding may lead a failing run to another wrong answer there, or to
    the right one; what is true, and what held, must be the same everywhere.
    """

    kind: RunKind
    then: Any
    now: Any
    elsewhere: bool

    @property
    def same(self) -> bool:
        there = self.then is not None and self.now is not None
        return there and self.kind.same(self.then, self.now, self.elsewhere)

    @property
    def line(self) -> str:
        """How they differ, in words."""
        kind, then, now = self.kind, self.then, self.now
        was = "absent" if then is None else kind.outcome(then, now)
        is_now = "absent" if now is None else kind.outcome(now, then)
        return f"DIFFERENT {kind.named(then or now)}: {was} in the file, {is_now} now"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Whether a results file can be made again. differs: how its sources differ from today's. lacks: what it needs that is not here."""

    differs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


def standing(results: RunResults, library: Library) -> Standing:
    """Errors: TC117, where another command rechecks it."""
    kind, asked = kind_of(results), results.run["asked"]
    try:
        now = kind.sources(asked, library)
    except CheckError as error:
        if error.code == "TC117":
            raise
        return Standing(lacks=(error.what,))
    return Standing(
        differs=tuple(differences(results.run["sources"], now, now.keys())), lacks=tuple(kind.gone(asked))
    )


def sample(
    units: Sequence[Any], *, share: float = SHARE, seed: int, max_seconds: float = MOST_SECONDS
) -> list[Any]:
    """At least one of the units of a file, at most `share` of them, and little more than `max_seconds` of work.

    A unit that takes longer than that by itself is drawn only if all do: a survivor, for which every check was run.
    """
    order = [unit for unit in units if unit.seconds <= max_seconds] or list(units)
    random.Random(seed).shuffle(order)
    chosen: list[Any] = []
    for unit in order[: max(1, math.ceil(share * len(units)))]:
        if chosen and sum(u.seconds for u in chosen) + unit.seconds > max_seconds:
            continue
        chosen.append(unit)
    return chosen


def n_pairs(results: RunResults, units: Sequence[Any]) -> int:
    """How many pairs `again` makes of these units."""
    return sum(map(kind_of(results).size, units))


def again(results: RunResults, units: Sequence[Any], library: Library) -> Iterator[Pair]:
    """Makes the chosen units again. Errors: those of the work, such as TC153."""
    kind, made, here = kind_of(results), results.run["machine"], machine()
    elsewhere = any(made.get(part) != here[part] for part in ROUNDING)
    for then, now in kind.again(results, units, library):
        yield Pair(kind=kind, then=then, now=now, elsewhere=elsewhere)
