"""Hunts seeded faults: each is checked by a battery and is killed, survives, or is an error. A hunt can be resumed.

The gauntlet's certificates are made here, by the installed code, and handed to each process. If a copy certified itself,
a fault that changes the truth would change it for the method too, and the two would agree.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args

from edgeprune_core.methods import METHODS
from tracrcheck.compiler.compile import compile_program
from tracrcheck.error_codes import unknown_name, user_error
from tracrcheck.grading.by_name import find_method
from tracrcheck.mutants import MUTANTS, Mutant
from tracrcheck.mutants.checks import METHOD, Job
from tracrcheck.mutants.sandbox import GAUNTLET, Seen, Way, check
from tracrcheck.rasp.library import Library
from tracrcheck.records.sources import sources_of
from tracrcheck.runs import base
from tracrcheck.runs.profiles import PROFILES
from tracrcheck.runs.results import File, RunKind, RunResults, coverage
from tracrcheck.truth.cache import certificate_of
from tracrcheck.truth.setting import Setting

PROFILE = PROFILES["mutants"]
# What the results rest on, in addition to the code that judges.
ROOTS = ("tracrcheck.mutants.checks", "tracrcheck.runs.mutants")
# And the methods, which invariants and tests take from a table.
METHODS_ASKED = tuple(METHODS.modules)
# What the gauntlet says of a gate: its program, its ablation.
RED_GATE = re.compile(r"gate: (\S+) (\S+) seed ")


Status = Literal["killed", "survived", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """killed_by: the first check that failed, with its assertion; of an error, why nothing was checked."""

    name: str
    why: str
    status: Status
    killed_by: str | None
    seconds: float
    blind: bool = False


class Asked(TypedDict):
    """Of any battery."""

    mutants: list[str]
    by: Literal["gauntlet", "suite"]


class GauntletAsked(Asked):
    programs: list[str]
    ablations: list[str]
    method: str
    seed: int


class SuiteAsked(Asked):
    tests: list[str]


class MutantFile(File):
    summary: dict[str, Any]
    mutants: list[Found]


@dataclass(frozen=True, kw_only=True)
class MutantResults(RunResults):
    found: tuple[Found, ...]

    schema = "tracrcheck.mutants/1"
    file = MutantFile
    rows_name, rows_field, units_are = "mutants", "found", "seeded faults"
    line_each = ("mutants",)

    @classmethod
    def asked_type(cls, asked: Mapping[str, Any]) -> Any:
        return SuiteAsked if asked.get("by") == "suite" else GauntletAsked

    @property
    def by(self) -> str:
        """What checked the copies."""
        return self.run["asked"]["by"]

    @property
    def exit_code(self) -> int:
        """0 if every fault was killed."""
        return int(any(row.status != "killed" for row in self.found))

    @property
    def summary_of_rows(self) -> dict[str, Any]:
        return {**summary_of(self.found), "seconds": self.run["seconds"]}

    def problems(self) -> list[str]:
        names = [row.name for row in self.found]
        return [
            *coverage("mutants", names, self.run["asked"]["mutants"], finished=self.run["finished"]),
            *(
                f"mutants: {row.name} {row.status}, and killed_by is {row.killed_by!r}"
                for row in self.found
                if (row.status == "survived") != (row.killed_by is None)
            ),
        ]


def summary_of(found: Sequence[Found]) -> dict[str, Any]:
    """How many of each status; those written blind are counted apart."""

    def counts(rows: Sequence[Found]) -> dict[str, int]:
        return {**{s: sum(row.status == s for row in rows) for s in get_args(Status)}, "total": len(rows)}

    seen = counts([row for row in found if not row.blind])
    return {**seen, "blind": counts([row for row in found if row.blind])}


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """The checks that a hunt runs on each copy.

    job:     what the checks are given. way: how their process is run.
    asked:   their settings, for `run.asked` of the results file. by: their name there.
    sources: what the fate of a fault depends on.
    """

    by: str
    job: Job
    way: Way
    asked: Mapping[str, Any]
    sources: Mapping[str, str | None]


def chosen(names: Sequence[str], *, by: str = "gauntlet") -> tuple[Mutant, ...]:
    """The seeded faults of these names, in the table's order; without names, all that this battery can see.

    Errors: TC156 (there is no such fault, or only tests can see it).
    """
    for name in names:
        if name not in MUTANTS:
            raise unknown_name("TC156.name", name, MUTANTS)
        if MUTANTS[name].tests and by == "gauntlet":
            raise user_error("TC156.tests", got=" ".join(MUTANTS[name].tests), name=name)
    seen = (m for m in MUTANTS.values() if by != "gauntlet" or not m.tests)
    return tuple(m for m in seen if not names or m.name in names)


def job_of(programs: Sequence[str], ablations: Sequence[str], *, seed: int = 0) -> Job:
    """What the gauntlet is given: program files, and their certificates by this code."""
    entries = [Library.here().load(name) for name in programs]
    truths = {}
    for entry in entries:
        compiled = compile_program(entry.program)
        truths[entry.program.name] = {
            name: certificate_of(compiled, Setting(ablation=name)).to_json() for name in ablations
        }
    paths = tuple(entry.path.resolve() for entry in entries)
    return Job(programs=paths, truths=truths, out=Path(), seed=seed)


def gauntlet(job: Job | None = None) -> Battery:
    """The invariants and the gate of the profile, or those of a job."""
    job = job_of(PROFILE.programs or (), PROFILE.ablations) if job is None else job
    asked = {
        "programs": [path.stem for path in job.programs],
        "ablations": list(PROFILE.ablations),
        "method": METHOD,
        "seed": job.seed,
    }
    return Battery(by="gauntlet", job=job, way=GAUNTLET, asked=asked, sources=sources(job.programs))


# Batteries by name. `ci/faults/suite.py` adds the test suite, which a wheel does not contain.
BATTERIES: dict[str, Callable[[], Battery]] = {"gauntlet": gauntlet}


def battery_of(by: str) -> Battery:
    """Errors: TC117 (no such battery here)."""
    if by not in BATTERIES:
        raise user_error("TC117.by_suite", where="run.asked.by", got=by, wanted=" or ".join(BATTERIES))
    return BATTERIES[by]()


def hunt(mutant: Mutant, battery: Battery) -> Found:
    started = time.monotonic()
    seen = check(mutant, battery.job, way=battery.way)
    return _found(mutant, seen, time.monotonic() - started)


def _found(mutant: Mutant, seen: Seen, seconds: float) -> Found:
    status: Status = "error" if seen.error else "killed" if seen.red else "survived"
    return Found(
        name=mutant.name,
        why=mutant.why,
        status=status,
        killed_by=seen.error or seen.red,
        seconds=round(seconds, 1),
        blind=mutant.blind,
    )


def again(then: Found, asked: Mapping[str, Any]) -> Found:
    """The same fault run once more. Of the gate, only the program and ablation that were red then; of a survivor, all."""
    mutant = MUTANTS[then.name]
    if asked["by"] != "gauntlet":
        return hunt(mutant, battery_of(asked["by"]))
    programs, ablations = _asked_again(then, asked["programs"], asked["ablations"])
    return hunt(mutant, gauntlet(job_of(programs, ablations, seed=asked["seed"])))


def _asked_again(
    then: Found, programs: Sequence[str], ablations: Sequence[str]
) -> tuple[Sequence[str], Sequence[str]]:
    """The first program is one that invariants are checked on."""
    if then.status != "killed":
        return programs, ablations
    if red := RED_GATE.match(then.killed_by or ""):
        return list(dict.fromkeys((programs[0], red[1]))), [red[2]]
    return programs[:1], ()


def check_unmutated(battery: Battery) -> None:
    """Errors: TC157 where a copy without a fault is red: then a kill would mean nothing."""
    seen = check(None, battery.job, way=battery.way)
    if seen.error or seen.red:
        raise user_error("TC157", got=seen.error or seen.red)


class Hunt(base.ResumableRun[Mutant, Found]):
    """The seeded faults, in the order of the table. unchecked: whether the checks are not run without a fault first."""

    things, label, row, results_type = "faults", "mutants", Found, MutantResults

    def __init__(
        self, mutants: Sequence[Mutant], battery: Battery, *rest: Any, unchecked: bool = False
    ) -> None:
        super().__init__(*rest, units={mutant.name: mutant for mutant in mutants})
        self.battery, self.unchecked = battery, unchecked

    def key(self, row: Found) -> str:
        return row.name

    def phases(self) -> Iterator[tuple[Iterable[Any], int, str]]:
        if not self.unchecked and not self.resumed:
            check_unmutated(self.battery)
        yield from super().phases()

    def make(self, units: list[Mutant]) -> Iterator[Found]:
        work = partial(hunt, battery=self.battery)
        return self.workers.each(work, units, lost=_given_up, files=self.battery.job.programs)


def _given_up(mutant: Mutant, why: str) -> Found:
    return _found(mutant, Seen(error=why), 0.0)


def header_of(mutants: Sequence[Mutant], battery: Battery, command: str) -> dict[str, Any]:
    """What the run is, and what it is made with."""
    asked = {"mutants": [m.name for m in mutants], "by": battery.by, **battery.asked}
    return base.header("mutants", command, asked, dict(battery.sources))


def sources(programs: Sequence[Path]) -> dict[str, str | None]:
    """What the gauntlet's results depend on."""
    return sources_of(programs, find_method(METHOD), roots=(*ROOTS, *METHODS_ASKED))


def sources_now(asked: Mapping[str, Any], library: Library) -> Mapping[str, str | None]:
    """What faults, or runs without one, depend on today. Errors: TC101 (a program is gone), TC117 (no such battery)."""
    if (by := asked.get("by", "gauntlet")) != "gauntlet":
        return battery_of(by).sources
    entries = library.chosen(asked["programs"]) if asked["programs"] else []
    return sources([entry.path for entry in entries])


MUTANT_RUNS = RunKind(
    results=MutantResults,
    name="the seeded faults",
    command="mutants",
    sources=sources_now,
    again=lambda results, found, library: ((then, again(then, results.run["asked"])) for then in found),
    same=lambda then, now, elsewhere: then.status == now.status,  # what caught it may hang on rounding
    named=lambda found: found.name,
    outcome=lambda found, other: found.status + (f" ({found.killed_by})" if found.killed_by else ""),
    gone=lambda asked: [f"no fault {name} now" for name in sorted(set(asked["mutants"]) - set(MUTANTS))],
)
