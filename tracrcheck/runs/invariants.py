"""Many seeds of the invariants: what was asked, and the checks so far. It can be resumed, and run in several processes.

A seed is checked whole before it is written down; one that was cut short is checked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

from edgeprune_core.methods import METHODS
from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.pool import sweep
from tracrcheck.invariants.base import Invariant
from tracrcheck.invariants.runner import check_all, chosen
from tracrcheck.invariants.subjects import Subject
from tracrcheck.rasp.library import Library
from tracrcheck.records.journal import Ledger
from tracrcheck.records.sources import sources_of
from tracrcheck.runs.base import ResumableRun, header
from tracrcheck.runs.results import File, RunKind, RunResults, coverage

# What a check depends on: the invariants and what they import, and the methods, which they take from a table.
ROOTS = (
    "tracrcheck.invariants.runner",
    *METHODS.modules,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One invariant on one subject. seed: of the subject and of the check's own draws."""

    invariant: str
    subject: str
    seed: int
    law: bool
    violation: str | None
    seconds: float

    @property
    def red(self) -> bool:
        """Whether a law is broken; what is no law is only reported."""
        return self.violation is not None and self.law

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Every check of one subject: what is made again, one by one, where the file is checked."""

    seed: int
    subject: str
    checks: tuple[Check, ...]

    @property
    def seconds(self) -> float:
        return sum(check.seconds for check in self.checks)


class Asked(TypedDict):
    invariants: list[str]
    seeds: list[int]
    programs: int


class InvariantFile(File):
    summary: dict[str, Any]
    checks: list[Check]


@dataclass(frozen=True, kw_only=True)
class InvariantResults(RunResults):
    checks: tuple[Check, ...]

    schema = "tracrcheck.invariants/1"
    file, asked = InvariantFile, Asked
    rows_name = rows_field = "checks"
    units_are = "subjects"
    line_each = ("checks",)

    @property
    def units(self) -> list[Checks]:
        found: dict[tuple[int, str], list[Check]] = {}
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
class Plan:
    """invariants: by name. programs: drawn per seed, in addition to three random models. stop: at the first law broken.

    jobs: worker processes. cluster: the address of a Dask scheduler, whose workers are used instead.
    """

    invariants: tuple[str, ...]
    seeds: tuple[int, ...]
    programs: int = 1
    jobs: int = 1
    cluster: str | None = None
    stop: bool = False

    def header(self, command: str) -> dict[str, Any]:
        """What the run is, and what it is made with."""
        asked: Asked = {
            "invariants": list(self.invariants),
            "seeds": list(self.seeds),
            "programs": self.programs,
        }
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

    things, label, row = "seeds", "check", SeedChecks

    def __init__(self, plan: Plan, header: Mapping[str, Any], ledger: Ledger | None = None) -> None:
        super().__init__(header, ledger)
        self.plan = plan
        self.stopped = False
        self.units = {seed: seed for seed in plan.seeds}

    def key(self, row: SeedChecks) -> int:
        return row.seed

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


# Made again --------------------------------------------------------------------------------------------


def again(
    results: InvariantResults, units: Sequence[Checks], library: Library
) -> Iterator[tuple[Check | None, Check | None]]:
    """A check of today that the file lacks, or the other way round, is a pair with None."""
    asked = results.run["asked"]
    for then in units:
        plan = Plan(invariants=tuple(asked["invariants"]), seeds=(then.seed,), programs=asked["programs"])
        before = {check.invariant: check for check in then.checks}
        now = {check.invariant: check for check in checks(plan, then.seed, subject=then.subject)}
        yield from ((before.get(name), now.get(name)) for name in dict.fromkeys((*before, *now)))


INVARIANT_RUNS = RunKind(
    results=InvariantResults,
    name="the invariants",
    command="invariants",
    sources=lambda asked, library: sources(),
    again=again,
    # By how much it is broken, rounding decides.
    same=lambda then, now, elsewhere: (then.law, then.violation is None) == (now.law, now.violation is None),
    named=lambda check: f"{check.invariant} on {check.subject}, seed {check.seed}",
    outcome=lambda check, other: "held" if check.violation is None else f"broken ({check.violation})",
    size=lambda unit: len(unit.checks),
)
