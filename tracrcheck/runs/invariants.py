"""Many seeds of the invariants: what was asked, and the checks so far. It may take several sittings and processes.

A seed is checked whole before it is written down; one that was cut short is checked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgeprune_core.methods import METHODS
from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.pool import sweep
from tracrcheck.invariants.base import Invariant
from tracrcheck.invariants.runner import check_all, chosen
from tracrcheck.invariants.subjects import Subject
from tracrcheck.records.journal import Ledger
from tracrcheck.records.sources import sources_of
from tracrcheck.runs.base import ResumableRun, header
from tracrcheck.runs.invariant_results import Check, InvariantResults

# What a check depends on: the invariants and what they import, and the methods, which they take from a table.
ROOTS = (
    "tracrcheck.invariants.runner",
    *sorted({type(method).__module__ for method in METHODS.values()}),
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """invariants: by name. programs: drawn a seed, beside three random models. stop: at the first law broken.

    jobs: processes at work. cluster: the address of a Dask scheduler, whose workers do it instead.
    """

    invariants: tuple[str, ...]
    seeds: tuple[int, ...]
    programs: int = 1
    jobs: int = 1
    cluster: str | None = None
    stop: bool = False

    def header(self, command: str) -> dict[str, Any]:
        """What the campaign is, and what it is made on."""
        asked = {"invariants": list(self.invariants), "seeds": list(self.seeds), "programs": self.programs}
        return header("invariants", command, asked, sources())


@dataclass(frozen=True, kw_only=True)
class SeedChecks:
    """Every check of one seed: a row of the journal, written when the seed is finished."""

    seed: int
    checks: tuple[Check, ...]

    def to_json(self) -> dict[str, Any]:
        return {"seed": self.seed, "checks": [check.to_json() for check in self.checks]}


def sources() -> dict[str, str | None]:
    return sources_of([], roots=ROOTS)


class Campaign(ResumableRun[int, SeedChecks]):
    """The checks of each seed."""

    things, label = "seeds", "check"

    def __init__(self, plan: Plan, header: Mapping[str, Any], ledger: Ledger | None = None) -> None:
        super().__init__(header, ledger)
        self.plan = plan
        self.stopped = False
        self.units = {seed: seed for seed in plan.seeds}

    def key(self, row: SeedChecks) -> int:
        return row.seed

    def row_of(self, line: Mapping[str, Any]) -> SeedChecks:
        return SeedChecks(seed=line["seed"], checks=tuple(Check(**check) for check in line["checks"]))

    def phases(self) -> Iterator[tuple[Iterable[Any], int, str]]:
        yield self.go(), len(self.plan.invariants) * self.left * (3 + self.plan.programs), self.label

    def go(self) -> Iterator[Check]:
        """Makes the rows that are missing, a check at a time; with several processes, a seed's checks together."""
        for seed, checks in self.make([seed for seed in self.units if seed not in self._found]):
            done: list[Check] = []
            for check in checks:
                done.append(check)
                yield check
            self.stopped = self.plan.stop and any(check.red for check in done)
            self.keep(SeedChecks(seed=seed, checks=tuple(done)))
            if self.stopped:
                return

    def make(self, units: list[int]) -> Iterator[tuple[int, Iterable[Check]]]:
        plan = self.plan
        if plan.jobs == 1 and plan.cluster is None:
            yield from ((seed, checks(plan, seed)) for seed in units)
            return
        cluster = Cluster(address=plan.cluster) if plan.cluster else None
        work, lost = partial(_checked, plan), partial(_given_up, plan)
        for number, done in sweep(work, units, jobs=plan.jobs, lost=lost, cluster=cluster):
            yield units[number], done

    @property
    def checks(self) -> list[Check]:
        return [check for row in self.done for check in row.checks]

    def results(self, path: Path | None = None) -> InvariantResults:
        return InvariantResults(path=path or Path(), run=self.record(), checks=tuple(self.checks))

    def written(self) -> None:
        """A run that stopped at a broken law has nothing to resume."""
        if self.ledger is not None and self.stopped:
            self.ledger.remove()
        super().written()


def checks(plan: Plan, seed: int, *, subject: str | None = None) -> Iterator[Check]:
    """Every check of a seed, cheapest invariant first. subject: of this one only."""
    invariants = chosen(plan.invariants)
    if subject is not None:
        invariants = tuple(replace(i, applies=partial(_is_also, i, subject)) for i in invariants)
    for done in check_all(invariants, [seed], programs=plan.programs, stop=plan.stop):
        yield Check(**done.to_json())


def _is_also(invariant: Invariant, name: str, subject: Subject) -> bool:
    return subject.name == name and invariant.applies(subject)


# In other processes ------------------------------------------------------------------------------------


def _checked(plan: Plan, seed: int) -> list[Check]:
    return list(checks(plan, seed))


def _given_up(plan: Plan, seed: int, why: str) -> list[Check]:
    """A seed whose process dies every time is checked by nothing: every law counts as broken there."""
    return [
        Check(invariant=i.name, subject="all", seed=seed, law=i.law, violation=why, seconds=0.0)
        for i in chosen(plan.invariants)
    ]
