"""The hunt: each seeded fault run through the gauntlet or the tests; killed, survived, or an error. It may take sittings.

Of the gauntlet, certificates are made here, by the code that is installed, and given to each process: were a copy to certify by itself,
a fault that changes a truth would change it for the method as well, and both would agree.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edgeprune_core.errors import CheckError, did_you_mean
from edgeprune_core.methods import METHODS
from tracrcheck.compiler.compile import compile_program
from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.pool import sweep
from tracrcheck.grading.run_method import find_method
from tracrcheck.mutants import MUTANTS, Mutant, suite
from tracrcheck.mutants.checks import METHOD, Job
from tracrcheck.mutants.sandbox import WAYS, Seen, check, checkout
from tracrcheck.rasp.library import Library
from tracrcheck.records.journal import Ledger
from tracrcheck.records.sources import sources_of
from tracrcheck.runs.base import ResumableRun, header
from tracrcheck.runs.mutant_results import Found, MutantResults, Status
from tracrcheck.runs.profiles import PROFILES
from tracrcheck.truth.cache import certificate_of
from tracrcheck.truth.setting import Setting

PROFILE = PROFILES["mutants"]
# What the results rest on beside the code that judges.
ROOTS = ("tracrcheck.mutants.checks", "tracrcheck.runs.mutants")
# And the methods, which invariants and tests take from a table.
METHODS_ASKED = tuple(sorted({type(method).__module__ for method in METHODS.values()}))
# What the gauntlet says of a gate: its program, its ablation.
RED_GATE = re.compile(r"gate: (\S+) (\S+) seed ")
# The tests bring what they judge by.
NOTHING = Job(programs=(), truths={}, out=Path())


def chosen(names: Sequence[str]) -> tuple[Mutant, ...]:
    """The seeded faults of these names, in the table's order; all where none is given. Errors: TC156."""
    for name in names:
        if name not in MUTANTS:
            raise CheckError(
                "TC156",
                f"no seeded fault '{name}'",
                got=name,
                wanted="one of the table: tracrcheck mutants --list",
                do=did_you_mean(name, MUTANTS),
            )
    return tuple(m for m in MUTANTS.values() if not names or m.name in names)


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


def job_by(by: str) -> Job:
    """What the checks of one of WAYS are given. Errors: TC117 (no such way), TC158 (no tests)."""
    if by not in WAYS:
        wanted = " or ".join(WAYS)
        raise CheckError("TC117", "no way to check a fault", where="--by", got=by, wanted=wanted)
    if by == "suite":
        checkout()
        return NOTHING
    return job_of(PROFILE.programs or (), PROFILE.ablations)


def hunt(mutant: Mutant, job: Job, *, by: str = "gauntlet") -> Found:
    started = time.monotonic()
    seen = check(mutant, job, way=WAYS[by])
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
    if asked["by"] == "suite":
        return hunt(mutant, job_by("suite"), by="suite")
    programs, ablations = _asked_again(then, asked["programs"], asked["ablations"])
    return hunt(mutant, job_of(programs, ablations, seed=asked["seed"]))


def _asked_again(
    then: Found, programs: Sequence[str], ablations: Sequence[str]
) -> tuple[Sequence[str], Sequence[str]]:
    """The first program is one that invariants are checked on."""
    if then.status != "killed":
        return programs, ablations
    if red := RED_GATE.match(then.killed_by or ""):
        return list(dict.fromkeys((programs[0], red[1]))), [red[2]]
    return programs[:1], ()


def check_unmutated(job: Job, *, by: str = "gauntlet") -> None:
    """Errors: TC157 where a copy without any edit is red: then a kill would mean nothing."""
    seen = check(None, job, way=WAYS[by])
    if seen.error or seen.red:
        raise CheckError(
            "TC157",
            "a check fails without any fault",
            got=seen.error or seen.red,
            wanted="every check green on the code as it is",
            do="mend that first",
        )


class Hunt(ResumableRun[Mutant, Found]):
    """The seeded faults, in the order of the table. unchecked: whether the checks are not run without a fault first."""

    things, label = "faults", "mutants"

    def __init__(
        self,
        mutants: Sequence[Mutant],
        job: Job,
        header: Mapping[str, Any],
        *,
        by: str = "gauntlet",
        jobs: int = 1,
        cluster: str | None = None,
        unchecked: bool = False,
        ledger: Ledger | None = None,
    ) -> None:
        super().__init__(header, ledger)
        self.job, self.by, self.jobs, self.unchecked = job, by, jobs, unchecked
        self.cluster = Cluster(address=cluster, files=tuple(map(str, job.programs))) if cluster else None
        self.units = {mutant.name: mutant for mutant in mutants}

    def key(self, row: Found) -> str:
        return row.name

    def row_of(self, line: Mapping[str, Any]) -> Found:
        return Found(**line)

    def phases(self) -> Iterator[tuple[Iterable[Any], int, str]]:
        if not self.unchecked and not self.resumed:
            check_unmutated(self.job, by=self.by)
        yield from super().phases()

    def make(self, units: list[Mutant]) -> Iterator[Found]:
        work = partial(hunt, job=self.job, by=self.by)
        for _, found in sweep(work, units, jobs=self.jobs, lost=_given_up, cluster=self.cluster):
            yield found

    def results(self, path: Path | None = None) -> MutantResults:
        return MutantResults(path=path or Path(), run=self.record(), found=tuple(self.done))


def _given_up(mutant: Mutant, why: str) -> Found:
    return _found(mutant, Seen(error=why), 0.0)


def header_of(mutants: Sequence[Mutant], job: Job, command: str, *, by: str = "gauntlet") -> dict[str, Any]:
    """What the hunt is, and what it is made on."""
    asked: dict[str, Any] = {"mutants": [m.name for m in mutants], "by": by}
    if by == "suite":
        asked |= {"tests": list(suite.TESTS)}
    else:
        programs = [path.stem for path in job.programs]
        asked |= {
            "programs": programs,
            "ablations": list(PROFILE.ablations),
            "method": METHOD,
            "seed": job.seed,
        }
    return header("mutants", command, asked, sources(by, job.programs))


def sources(by: str, programs: Sequence[Path]) -> dict[str, str | None]:
    """What the faults' fate depends on. By the suite, the tests are among the files that are called programs."""
    if by == "suite":
        return sources_of(suite.files(checkout()), roots=roots(by))
    return sources_of(programs, find_method(METHOD), roots=roots(by))


def roots(by: str) -> tuple[str, ...]:
    """The modules that the checks come from, and the table of faults."""
    tests = suite.modules(checkout()) if by == "suite" else ()
    return (*ROOTS, *METHODS_ASKED, *tests)
