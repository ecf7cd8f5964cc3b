"""The gauntlet on copies without any fault, of other seeds each: whatever is red is a false alarm. It can be resumed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.pool import sweep
from tracrcheck.invariants import INVARIANTS
from tracrcheck.mutants.checks import APART, METHOD, Job
from tracrcheck.mutants.sandbox import check
from tracrcheck.records.journal import Ledger
from tracrcheck.runs.base import ResumableRun, header
from tracrcheck.runs.mutants import PROFILE, job_of, sources, sources_now
from tracrcheck.runs.results import File, RunKind, RunResults, coverage

# Of the invariants, one in so many is checked again where a quiet run is.
PARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietRun:
    """The gauntlet once. red: the first check that failed, a false alarm; error: why nothing was checked."""

    seed: int
    red: str | None
    error: str | None
    seconds: float

    @property
    def quiet(self) -> bool:
        """Whether every check was green."""
        return self.red is None and self.error is None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Asked(TypedDict):
    seeds: list[int]
    programs: list[str]
    ablations: list[str]
    method: str


class FalseAlarmFile(File):
    summary: dict[str, Any]
    runs: list[QuietRun]


@dataclass(frozen=True, kw_only=True)
class FalseAlarmResults(RunResults):
    runs: tuple[QuietRun, ...]

    schema = "tracrcheck.false_alarms/1"
    file, asked = FalseAlarmFile, Asked
    rows_name = rows_field = units_are = "runs"
    line_each = ("runs",)

    @property
    def exit_code(self) -> int:
        """0 if every run was quiet."""
        return int(any(not run.quiet for run in self.runs))

    @property
    def summary_of_rows(self) -> dict[str, int]:
        return summary_of(self.runs)

    def problems(self) -> list[str]:
        seeds = [run.seed for run in self.runs]
        return coverage("runs", seeds, self.run["asked"]["seeds"], finished=self.run["finished"])


def summary_of(runs: Sequence[QuietRun]) -> dict[str, int]:
    return {
        "runs": len(runs),
        "red": sum(run.red is not None for run in runs),
        "errors": sum(run.error is not None for run in runs),
    }


def seeds_of(runs: int) -> tuple[int, ...]:
    """As many seeds, none of which shares a model with another."""
    return tuple(range(0, runs * (max(APART) + 1), max(APART) + 1))


def header_of(seeds: Sequence[int], job: Job, command: str) -> dict[str, Any]:
    """What the run is, and what it is made with."""
    asked: Asked = {
        "seeds": list(seeds),
        "programs": [path.stem for path in job.programs],
        "ablations": list(PROFILE.ablations),
        "method": METHOD,
    }
    return header("false alarms", command, asked, sources(job.programs))


def run(seed: int, job: Job) -> QuietRun:
    started = time.monotonic()
    seen = check(None, replace(job, seed=seed))
    return QuietRun(seed=seed, red=seen.red, error=seen.error, seconds=round(time.monotonic() - started, 1))


def again(then: QuietRun, asked: Mapping[str, Any]) -> QuietRun:
    """The same seed once more: of a quiet run, a third of the invariants (others with each seed), and the first program."""
    job = job_of(asked["programs"][:1] if then.quiet else asked["programs"], asked["ablations"])
    if then.quiet:
        number = asked["seeds"].index(then.seed)
        job = replace(job, only=tuple(i.name for i in INVARIANTS[number % PARTS :: PARTS]))
    return run(then.seed, job)


class FalseAlarms(ResumableRun[int, QuietRun]):
    """A run of the gauntlet for each seed."""

    things, label, row = "runs", "runs", QuietRun

    def __init__(
        self,
        seeds: Sequence[int],
        job: Job,
        header: Mapping[str, Any],
        *,
        jobs: int = 1,
        cluster: str | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        super().__init__(header, ledger)
        self.job, self.jobs = job, jobs
        self.cluster = Cluster(address=cluster, files=tuple(map(str, job.programs))) if cluster else None
        self.units = {seed: seed for seed in seeds}

    def key(self, row: QuietRun) -> int:
        return row.seed

    def make(self, units: list[int]) -> Iterator[QuietRun]:
        work = partial(run, job=self.job)
        for _, done in sweep(work, units, jobs=self.jobs, lost=_given_up, cluster=self.cluster):
            yield done

    def results(self, path: Path | None = None) -> FalseAlarmResults:
        return FalseAlarmResults(path=path or Path(), run=self.record(), runs=tuple(self.done))


def _given_up(seed: int, why: str) -> QuietRun:
    return QuietRun(seed=seed, red=None, error=why, seconds=0.0)


FALSE_ALARMS = RunKind(
    results=FalseAlarmResults,
    name="the gauntlet without a fault",
    command="mutants --false-alarms N",
    sources=sources_now,
    again=lambda results, runs, library: ((then, again(then, results.run["asked"])) for then in runs),
    same=lambda then, now, elsewhere: then.quiet == now.quiet,
    named=lambda run: f"seed {run.seed}",
    outcome=lambda run, other: "quiet" if run.quiet else f"not quiet ({run.red or run.error})",
)
