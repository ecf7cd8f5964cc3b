"""A fuzzing campaign: what was asked, the programs drawn and examined so far. It may take several sittings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.pool import sweep
from tracrcheck.generator.accept import Draws
from tracrcheck.grading.run_method import find_method
from tracrcheck.records.journal import Ledger
from tracrcheck.records.sources import sources_of
from tracrcheck.runs.base import ResumableRun, header
from tracrcheck.runs.fuzz_program import ROOTS, Examined, Row, examine
from tracrcheck.runs.fuzz_results import FuzzResults
from tracrcheck.truth.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Plan:
    """programs: how many accepted ones of the draws of `seed`; timeout: seconds that one run of the method has.

    jobs: processes at work. cluster: the address of a Dask scheduler, whose workers do it instead.
    """

    seed: int
    programs: int
    settings: tuple[Setting, ...]
    method: str
    timeout: float
    jobs: int = 1
    cluster: str | None = None

    def header(self, command: str) -> dict[str, Any]:
        """What the campaign is, and what it is made on."""
        asked = {
            "seed": self.seed,
            "programs": self.programs,
            "method": self.method,
            "ablations": list(dict.fromkeys(s.ablation for s in self.settings)),
            "criteria": list(dict.fromkeys(s.criterion for s in self.settings)),
            "timeout": self.timeout,
        }
        return header("fuzz", command, asked, sources_of([], find_method(self.method), roots=ROOTS))


class Campaign(ResumableRun[int, Examined]):
    """A row for each accepted draw, whose units are the numbers of the draws.

    rejected: reason -> how many; drawn: in all.
    """

    things, label = "programs", "fuzz"

    def __init__(self, plan: Plan, header: Mapping[str, Any], ledger: Ledger | None = None) -> None:
        self.plan = plan
        super().__init__(header, ledger)
        self.rejected: Counter[str] = Counter()
        self.drawn = 0

    def key(self, row: Examined) -> int:
        return row.program.number

    def row_of(self, line: Mapping[str, Any]) -> Examined:
        return Examined.from_json(line, seed=self.plan.seed, method=self.plan.method)

    def phases(self) -> Iterator[tuple[Iterable[Any], int, str]]:
        yield self.draw(), self.plan.programs, "draw"
        yield from super().phases()

    def draw(self) -> Iterator[int]:
        """The numbers of the accepted draws."""
        draws = Draws(seed=self.plan.seed, rejected=self.rejected)
        for number, _ in islice(draws, self.plan.programs):
            self.drawn = draws.drawn
            self.units[number] = number
            yield number

    def make(self, units: list[int]) -> Iterator[Examined]:
        plan = self.plan
        cluster = Cluster(address=plan.cluster, methods=(plan.method,)) if plan.cluster else None
        lost = partial(_given_up, plan)
        for _, done in sweep(partial(_examine, plan), units, jobs=plan.jobs, lost=lost, cluster=cluster):
            yield done

    @property
    def rows(self) -> list[Row]:
        return [row for done in self.done for row in done.rows]

    @property
    def total(self) -> int:
        """All that are wanted, drawn or not."""
        return self.plan.programs

    def results(self, path: Path | None = None) -> FuzzResults:
        return FuzzResults(
            path=path or Path(),
            run=self.record(),
            units=tuple(self.done),
            drawn=self.drawn,
            rejected=dict(self.rejected),
        )


# In other processes ------------------------------------------------------------------------------------


def _examine(plan: Plan, number: int) -> Examined:
    return examine(plan.seed, number, plan.settings, method=plan.method, timeout=plan.timeout)


def _given_up(plan: Plan, number: int, why: str) -> Examined:
    return examine(plan.seed, number, plan.settings, method=plan.method, timeout=plan.timeout, died=why)
