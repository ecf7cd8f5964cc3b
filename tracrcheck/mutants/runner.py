"""The hunt: each seeded fault run through the gauntlet; killed, survived, or an error. It may take several sittings.

Certificates are made here, by the code that is installed, and given to each process: were a copy to certify by itself,
a fault that changes a truth would change it for the method as well, and both would agree.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from edgeprune_core.errors import CheckError, did_you_mean
from tracrcheck.cluster import Cluster
from tracrcheck.compile import compile_program
from tracrcheck.exam import Setting
from tracrcheck.examinee import find_method
from tracrcheck.gauntlet import METHOD, Job
from tracrcheck.ledger import Ledger
from tracrcheck.library import Library
from tracrcheck.mutants import MUTANTS, Mutant
from tracrcheck.mutants.scratch import Seen, check
from tracrcheck.profiles import PROFILES
from tracrcheck.run import header, record
from tracrcheck.sources import sources_of
from tracrcheck.store import certificate_of
from tracrcheck.sweep import sweep

Status = Literal["killed", "survived", "error"]
PROFILE = PROFILES["mutants"]
# What the results rest on beside the code that judges.
ROOTS = ("tracrcheck.gauntlet", "tracrcheck.mutants.runner")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """killed_by: the first check that failed, with its assertion; of an error, why nothing was checked."""

    name: str
    why: str
    status: Status
    killed_by: str | None
    seconds: float
    blind: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


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


def hunt(mutant: Mutant, job: Job) -> Found:
    started = time.monotonic()
    seen = check(mutant, job)
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


def check_unmutated(job: Job) -> None:
    """Errors: TC157 where a copy without any edit is red: then a kill would mean nothing."""
    seen = check(None, job)
    if seen.error or seen.red:
        raise CheckError(
            "TC157",
            "a check fails without any fault",
            got=seen.error or seen.red,
            wanted="every check green on the code as it is",
            do="mend that first",
        )


class Hunt:
    """Seeded faults in the order of the table. ledger: where each is written as it is finished; None: nowhere.

    jobs: processes at work. cluster: the address of a Dask scheduler, whose workers do it instead.
    """

    def __init__(
        self,
        mutants: Sequence[Mutant],
        job: Job,
        header: Mapping[str, Any],
        *,
        jobs: int = 1,
        cluster: str | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.mutants, self.job, self.jobs, self.ledger = mutants, job, jobs, ledger
        self.cluster = Cluster(address=cluster, files=tuple(map(str, job.programs))) if cluster else None
        self.header = dict(ledger.header if ledger else header)
        self.interrupted = False
        self._started = time.monotonic()
        self._found = {row["name"]: Found(**row) for row in (ledger.rows if ledger else ())}
        self.resumed = len(self._found)

    def go(self) -> Iterator[Found]:
        """Runs what is left, one at a time."""
        left = [m for m in self.mutants if m.name not in self._found]
        work = partial(hunt, job=self.job)
        for _, found in sweep(work, left, jobs=self.jobs, lost=_given_up, cluster=self.cluster):
            if self.ledger is not None:
                self.ledger.append(found.to_json())
            self._found[found.name] = found
            yield found

    @property
    def found(self) -> list[Found]:
        return [self._found[m.name] for m in self.mutants if m.name in self._found]

    @property
    def left(self) -> int:
        return len(self.mutants) - len(self.found)

    @cached_property
    def seconds(self) -> float:
        """Read once, at the end."""
        return round(self.ledger.seconds if self.ledger else time.monotonic() - self._started, 1)

    def record(self) -> dict[str, Any]:
        """`run` of the results file."""
        return record(self.header, self.ledger, finished=self.left == 0, seconds=self.seconds)

    @property
    def exit_code(self) -> int:
        """0 where every fault was killed."""
        if self.interrupted:
            return 130
        return int(any(found.status != "killed" for found in self.found))

    def written(self) -> None:
        """All is written elsewhere: the ledger goes, unless there is something left to resume."""
        if self.ledger is not None and not self.left:
            self.ledger.remove()


def exit_code_there(results: Path) -> int:
    """That of a finished hunt, from its file."""
    rows = json.loads(results.read_text(encoding="utf-8"))["mutants"]
    return int(any(row["status"] != "killed" for row in rows))


def _given_up(mutant: Mutant, why: str) -> Found:
    return _found(mutant, Seen(error=why), 0.0)


def summary(found: Sequence[Found]) -> dict[str, Any]:
    """How many of each status; of those written blind apart."""

    def counts(rows: Sequence[Found]) -> dict[str, int]:
        number = {s: sum(row.status == s for row in rows) for s in ("killed", "survived", "error")}
        return {**number, "total": len(rows)}

    seen = counts([row for row in found if not row.blind])
    return {**seen, "blind": counts([row for row in found if row.blind])}


def header_of(mutants: Sequence[Mutant], job: Job, command: str) -> dict[str, Any]:
    """What the hunt is, and what it is made on."""
    asked = {
        "mutants": [m.name for m in mutants],
        "programs": [path.stem for path in job.programs],
        "ablations": list(PROFILE.ablations),
        "method": METHOD,
        "seed": job.seed,
    }
    return header("mutants", command, asked, sources_of(job.programs, find_method(METHOD), roots=ROOTS))
