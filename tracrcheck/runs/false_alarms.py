"""The gauntlet on copies without any fault, of other seeds each: whatever is red is a false alarm. It may take sittings."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.pool import sweep
from tracrcheck.invariants import INVARIANTS
from tracrcheck.mutants.checks import APART, METHOD, Job
from tracrcheck.mutants.sandbox import check
from tracrcheck.records.journal import Ledger
from tracrcheck.runs.base import header, record
from tracrcheck.runs.false_alarm_results import QuietRun
from tracrcheck.runs.mutants import PROFILE, job_of, sources

# Of the invariants, one in so many is checked again where a quiet run is.
PARTS = 3


def seeds_of(runs: int) -> tuple[int, ...]:
    """As many seeds, none of which shares a model with another."""
    return tuple(range(0, runs * (max(APART) + 1), max(APART) + 1))


def header_of(seeds: Sequence[int], job: Job, command: str) -> dict[str, Any]:
    """What the runs are, and what they are made on."""
    asked = {
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


class FalseAlarms:
    """Runs in the order of the seeds. ledger: where each is written as it is finished; None: nowhere. jobs, cluster: as of `Hunt`."""

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
        self.seeds, self.job, self.jobs, self.ledger = seeds, job, jobs, ledger
        self.cluster = Cluster(address=cluster, files=tuple(map(str, job.programs))) if cluster else None
        self.header = dict(ledger.header if ledger else header)
        self.interrupted = False
        self._started = time.monotonic()
        self._done = {row["seed"]: QuietRun(**row) for row in (ledger.rows if ledger else ())}
        self.resumed = len(self._done)

    def go(self) -> Iterator[QuietRun]:
        """Runs what is left, one at a time."""
        left = [seed for seed in self.seeds if seed not in self._done]
        work = partial(run, job=self.job)
        for _, done in sweep(work, left, jobs=self.jobs, lost=_given_up, cluster=self.cluster):
            if self.ledger is not None:
                self.ledger.append(done.to_json())
            self._done[done.seed] = done
            yield done

    @property
    def runs(self) -> list[QuietRun]:
        return [self._done[seed] for seed in self.seeds if seed in self._done]

    @property
    def left(self) -> int:
        return len(self.seeds) - len(self.runs)

    def record(self) -> dict[str, Any]:
        """`run` of the results file."""
        seconds = self.ledger.seconds if self.ledger else time.monotonic() - self._started
        return record(self.header, self.ledger, finished=self.left == 0, seconds=round(seconds, 1))

    @property
    def exit_code(self) -> int:
        """0 where every run was quiet."""
        if self.interrupted:
            return 130
        return int(any(not run.quiet for run in self.runs))

    def written(self) -> None:
        """All is written elsewhere: the ledger goes, unless there is something left to resume."""
        if self.ledger is not None and not self.left:
            self.ledger.remove()


def _given_up(seed: int, why: str) -> QuietRun:
    return QuietRun(seed=seed, red=None, error=why, seconds=0.0)
