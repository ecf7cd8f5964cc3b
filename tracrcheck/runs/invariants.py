"""Checks the invariants on many seeds. It can be resumed, and run in several processes.

A seed is written down when all of its checks are finished; one that was cut short is checked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgeprune_core.methods import METHODS
from tracrcheck.invariants.base import Invariant
from tracrcheck.invariants.runner import Checked, check_all, chosen
from tracrcheck.invariants.subjects import Subject
from tracrcheck.rasp.library import Library
from tracrcheck.records.sources import sources_of
from tracrcheck.runs import base
from tracrcheck.runs.results import File, RunKind, RunResults, coverage

# What a check depends on: the invariants and what they import, and the methods, which they take from a table.
ROOTS = (
    "tracrcheck.invariants.runner",
    *METHODS.modules,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Every check of one subject: the unit that `recheck` samples."""

    seed: int
    subject: str
    checks: tuple[Checked, ...]

    @property
    def seconds(self) -> float:
        return sum(check.seconds for check in self.checks)


@dataclass(frozen=True, kw_only=True)
class Plan(base.Plan):
    """invariants: by name. programs: drawn per seed, in addition to three random models."""

    invariants: tuple[str, ...]
    seeds: tuple[int, ...]
    programs: int = 1

    kind = "invariants"

    def sources(self) -> dict[str, str | None]:
        return sources_of([], roots=ROOTS)


class InvariantFile(File):
    summary: dict[str, Any]
    checks: list[Checked]


@dataclass(frozen=True, kw_only=True)
class InvariantResults(RunResults):
    checks: tuple[Checked, ...]

    schema = "tracrcheck.invariants/1"
    file, asked = InvariantFile, Plan
    rows_name = rows_field = "checks"
    units_are = "subjects"
    line_each = ("checks",)

    @property
    def units(self) -> list[Checks]:
        found: dict[tuple[int, str], list[Checked]] = {}
        for check in self.checks:
            found.setdefault((check.seed, check.subject), []).append(check)
        return [Checks(seed=s, subject=name, checks=tuple(of)) for (s, name), of in found.items()]

    @property
    def exit_code(self) -> int:
        """0 if no law is broken."""
        return int(any(check.red for check in self.checks))

    @property
    def summary_of_rows(self) -> dict[str, int]:
        return {"checks": len(self.checks), "broken": sum(check.red for check in self.checks)}

    def problems(self) -> list[str]:
        """Which subjects a seed has is not known here: of a finished run, there is some check of each seed."""
        asked, finished = self.run["asked"], self.run["finished"]
        keys = [(c.invariant, c.subject, c.seed) for c in self.checks]
        seeds, names = {c.seed for c in self.checks}, {c.invariant for c in self.checks}
        return [
            *coverage("checks", keys, keys, finished=finished),
            *coverage("checks, seeds", list(seeds), asked["seeds"], finished=finished),
            *coverage("checks, invariants", list(names), asked["invariants"], finished=False),
        ]


@dataclass(frozen=True, kw_only=True)
class SeedChecks:
    """Every check of one seed: a row of the journal, written when the seed is finished."""

    seed: int
    checks: tuple[Checked, ...]


class Campaign(base.ResumableRun[int, SeedChecks]):
    """The checks of each seed. stop: at the first law broken."""

    things, label, row, results_type = "seeds", "check", SeedChecks, InvariantResults

    def __init__(self, plan: Plan, *rest: Any, stop: bool = False) -> None:
        super().__init__(*rest, units={seed: seed for seed in plan.seeds})
        self.plan, self.stop, self.stopped = plan, stop, False

    def key(self, row: SeedChecks) -> int:
        return row.seed

    def phases(self) -> Iterator[tuple[Iterable[Any], int, str]]:
        yield self.go(), len(self.plan.invariants) * self.left * (3 + self.plan.programs), self.label

    def go(self) -> Iterator[Checked]:
        """Makes the rows that are missing, a check at a time; with several processes, a seed's checks together."""
        for seed, checks in self.make([seed for seed in self.units if seed not in self._found]):
            done: list[Checked] = []
            for check in checks:
                done.append(check)
                yield check
            self.stopped = self.stop and any(check.red for check in done)
            self.keep(SeedChecks(seed=seed, checks=tuple(done)))
            if self.stopped:
                return

    def make(self, units: list[int]) -> Iterator[tuple[int, Iterable[Checked]]]:
        work = partial(checks, self.plan, stop=self.stop)
        if self.workers.here:
            return ((seed, work(seed)) for seed in units)
        return self.workers.each(partial(_checked, work), units, lost=partial(_given_up, self.plan))

    def results(self, path: Path | None = None) -> InvariantResults:
        rows = tuple(check for row in self.done for check in row.checks)
        return InvariantResults(path=path or Path(), run=self.record(), checks=rows)

    @property
    def missing(self) -> int:
        return 0 if self.stopped else self.left

    def written(self) -> None:
        """A run that stopped at a broken law has nothing to resume."""
        if self.ledger is not None and self.stopped:
            self.ledger.remove()
        super().written()


def checks(plan: Plan, seed: int, *, subject: str | None = None, stop: bool = False) -> Iterator[Checked]:
    """Every check of a seed, cheapest invariant first. subject: of this one only."""
    invariants = chosen(plan.invariants)
    if subject is not None:
        invariants = tuple(replace(i, applies=partial(_is_also, i, subject)) for i in invariants)
    yield from check_all(invariants, [seed], programs=plan.programs, stop=stop)


def _is_also(invariant: Invariant, name: str, subject: Subject) -> bool:
    return subject.name == name and invariant.applies(subject)


# In other processes ------------------------------------------------------------------------------------


def _checked(work: Callable[[int], Iterator[Checked]], seed: int) -> tuple[int, list[Checked]]:
    return seed, list(work(seed))


def _given_up(plan: Plan, seed: int, why: str) -> tuple[int, list[Checked]]:
    """A seed whose process dies every time is checked by nothing: every law counts as broken there."""
    return seed, [
        Checked(invariant=i.name, subject="all", seed=seed, law=i.law, violation=why, seconds=0.0)
        for i in chosen(plan.invariants)
    ]


# Made again --------------------------------------------------------------------------------------------


def again(
    results: InvariantResults, units: Sequence[Checks], library: Library
) -> Iterator[tuple[Checked | None, Checked | None]]:
    """A check of today that the file lacks, or the other way round, is a pair with None."""
    for then in units:
        before = {check.invariant: check for check in then.checks}
        now = {check.invariant: check for check in checks(results.plan, then.seed, subject=then.subject)}
        yield from ((before.get(name), now.get(name)) for name in dict.fromkeys((*before, *now)))


INVARIANT_RUNS = RunKind(
    results=InvariantResults,
    name="the invariants",
    command="invariants",
    sources=lambda asked, library: sources_of([], roots=ROOTS),
    again=again,
    # By how much it is broken, rounding decides.
    same=lambda then, now, elsewhere: (then.law, then.violation is None) == (now.law, now.violation is None),
    named=lambda check: f"{check.invariant} on {check.subject}, seed {check.seed}",
    outcome=lambda check, other: "held" if check.violation is None else f"broken ({check.violation})",
    size=lambda unit: len(unit.checks),
)
