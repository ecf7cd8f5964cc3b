"""A fuzzing campaign: what was asked, the programs drawn and examined so far. It may take several sittings."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.pool import sweep
from tracrcheck.generator.accept import Draws
from tracrcheck.generator.features import Features
from tracrcheck.grading.run_method import find_method
from tracrcheck.records.journal import Ledger
from tracrcheck.records.sources import sources_of
from tracrcheck.runs.base import header, record
from tracrcheck.runs.fuzz_program import ROOTS, Examined, Row, examine
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


class Campaign:
    """Programs in the order of their draws, whichever way they were finished.

    numbers: of the accepted draws; rejected: reason -> how many; drawn: in all. ledger: where each program is written
    as it is finished, and those of earlier sittings are read; None: nowhere.
    """

    def __init__(self, plan: Plan, header: Mapping[str, Any], ledger: Ledger | None = None) -> None:
        self.plan, self.ledger = plan, ledger
        self.header = dict(ledger.header if ledger else header)
        self.numbers: list[int] = []
        self.rejected: Counter[str] = Counter()
        self.drawn = 0
        self.interrupted = False
        self._started = time.monotonic()
        before = map(self._from_row, ledger.rows if ledger else ())
        self._found = {done.program.number: done for done in before}
        self.resumed = len(self._found)

    def _from_row(self, row: Mapping[str, Any]) -> Examined:
        return Examined.from_json(row, seed=self.plan.seed, method=self.plan.method)

    def draw(self) -> Iterator[int]:
        """The numbers of the accepted draws."""
        draws = Draws(seed=self.plan.seed, rejected=self.rejected)
        for number, _ in islice(draws, self.plan.programs):
            self.drawn = draws.drawn
            self.numbers.append(number)
            yield number

    def go(self) -> Iterator[Examined]:
        """Examines what is left of the programs drawn, one at a time."""
        left = [number for number in self.numbers if number not in self._found]
        plan = self.plan
        cluster = Cluster(address=plan.cluster, methods=(plan.method,)) if plan.cluster else None
        lost = partial(_given_up, plan)
        for _, done in sweep(partial(_examine, plan), left, jobs=plan.jobs, lost=lost, cluster=cluster):
            if self.ledger is not None:
                self.ledger.append(done.to_json())
            self._found[done.program.number] = done
            yield done

    @property
    def left(self) -> int:
        """How many programs are not finished."""
        return self.plan.programs - len(self.examined)

    @property
    def examined(self) -> list[Examined]:
        return [self._found[number] for number in self.numbers if number in self._found]

    @property
    def rows(self) -> list[Row]:
        return [row for done in self.examined for row in done.rows]

    @property
    def programs(self) -> list[Features]:
        return [done.program for done in self.examined]

    def record(self) -> dict[str, Any]:
        """`run` of the results file."""
        seconds = self.ledger.seconds if self.ledger is not None else time.monotonic() - self._started
        return record(self.header, self.ledger, finished=self.left == 0, seconds=round(seconds, 3))

    def written(self) -> None:
        """All that was found is written elsewhere: the ledger goes, unless there is something left to resume."""
        if self.ledger is not None and not self.left:
            self.ledger.remove()


# In other processes ------------------------------------------------------------------------------------


def _examine(plan: Plan, number: int) -> Examined:
    return examine(plan.seed, number, plan.settings, method=plan.method, timeout=plan.timeout)


def _given_up(plan: Plan, number: int, why: str) -> Examined:
    return examine(plan.seed, number, plan.settings, method=plan.method, timeout=plan.timeout, died=why)
