"""The gauntlet on copies without any fault, of other seeds each: whatever is red is a false alarm. It can be resumed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tracrcheck.invariants import INVARIANTS
from tracrcheck.mutants.checks import APART, METHOD, Job
from tracrcheck.mutants.sandbox import check
from tracrcheck.rasp.library import Library
from tracrcheck.records.reading import plain
from tracrcheck.runs import base
from tracrcheck.runs.mutants import PROFILE, job_of, sources_now
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


@dataclass(frozen=True, kw_only=True)
class Plan(base.Plan):
    """programs: by name; the first ones of a job."""

    seeds: tuple[int, ...]
    programs: tuple[str, ...]
    ablations: tuple[str, ...] = PROFILE.ablations
    method: str = METHOD

    kind = "false alarms"

    @classmethod
    def of(cls, seeds: tuple[int, ...], job: Job) -> Plan:
        return cls(seeds=seeds, programs=tuple(path.stem for path in job.programs))

    def sources(self) -> Mapping[str, str | None]:
        return sources_now(plain(self), Library.here())


class FalseAlarmFile(File):
    summary: dict[str, Any]
    runs: list[QuietRun]


@dataclass(frozen=True, kw_only=True)
class FalseAlarmResults(RunResults):
    runs: tuple[QuietRun, ...]

    schema = "tracrcheck.false_alarms/1"
    file, asked = FalseAlarmFile, Plan
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


def run(seed: int, job: Job) -> QuietRun:
    started = time.monotonic()
    seen = check(None, replace(job, seed=seed))
    return QuietRun(seed=seed, red=seen.red, error=seen.error, seconds=round(time.monotonic() - started, 1))


def again(then: QuietRun, plan: Plan) -> QuietRun:
    """The same seed once more: of a quiet run, a third of the invariants (others with each seed), and the first program."""
    job = job_of(plan.programs[:1] if then.quiet else plan.programs, plan.ablations)
    if then.quiet:
        number = plan.seeds.index(then.seed)
        job = replace(job, only=tuple(i.name for i in INVARIANTS[number % PARTS :: PARTS]))
    return run(then.seed, job)


class FalseAlarms(base.ResumableRun[int, QuietRun]):
    """A run of the gauntlet for each seed."""

    things, label, row, results_type = "runs", "runs", QuietRun, FalseAlarmResults

    def __init__(self, plan: Plan, job: Job, header: Mapping[str, Any], *rest: Any) -> None:
        super().__init__(header, *rest, units={seed: seed for seed in plan.seeds})
        self.job = job

    def key(self, row: QuietRun) -> int:
        return row.seed

    def make(self, units: list[int]) -> Iterator[QuietRun]:
        work = partial(run, job=self.job)
        return self.workers.each(work, units, lost=_given_up, files=self.job.programs)


def _given_up(seed: int, why: str) -> QuietRun:
    return QuietRun(seed=seed, red=None, error=why, seconds=0.0)


FALSE_ALARMS = RunKind(
    results=FalseAlarmResults,
    name="the gauntlet without a fault",
    command="mutants --false-alarms N",
    sources=sources_now,
    again=lambda results, runs, library: ((then, again(then, results.plan)) for then in runs),
    same=lambda then, now, elsewhere: then.quiet == now.quiet,
    named=lambda run: f"seed {run.seed}",
    outcome=lambda run, other: "quiet" if run.quiet else f"not quiet ({run.red or run.error})",
)
