"""Many seeds of the invariants: what was asked, and the checks so far. It may take several sittings and processes.

A seed is checked whole before it is written down; one that was cut short is checked again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from edgeprune_core.methods import METHODS
from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.pool import sweep
from tracrcheck.invariants.base import Invariant
from tracrcheck.invariants.runner import check_all, chosen
from tracrcheck.invariants.subjects import Subject
from tracrcheck.records.journal import Ledger
from tracrcheck.records.sources import sources_of
from tracrcheck.runs.base import header, record
from tracrcheck.runs.invariant_results import Check

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


def sources() -> dict[str, str | None]:
    return sources_of([], roots=ROOTS)


class Campaign:
    """Checks in the order of the seeds, whichever way they were finished.

    ledger: where each seed is written as it is finished, and those of earlier sittings are read; None: nowhere.
    """

    def __init__(self, plan: Plan, header: Mapping[str, Any], ledger: Ledger | None = None) -> None:
        self.plan, self.ledger = plan, ledger
        self.header = dict(ledger.header if ledger else header)
        self.interrupted = False
        self.stopped = False
        self._started = time.monotonic()
        self._found: dict[int, list[Check]] = {}
        for row in ledger.rows if ledger else ():
            self._found[row["seed"]] = [Check(**check) for check in row["checks"]]
        self.resumed = len(self._found)

    def go(self) -> Iterator[Check]:
        """Does what is left, a check at a time; with several processes, a seed's checks together."""
        for seed, checks in self._units():
            done: list[Check] = []
            for check in checks:
                done.append(check)
                yield check
            self.stopped = self.plan.stop and any(check.red for check in done)
            self._found[seed] = done
            if self.ledger is not None:
                self.ledger.append({"seed": seed, "checks": [check.to_json() for check in done]})
            if self.stopped:
                return

    def _units(self) -> Iterator[tuple[int, Iterable[Check]]]:
        left = [seed for seed in self.plan.seeds if seed not in self._found]
        plan = self.plan
        if plan.jobs == 1 and plan.cluster is None:
            yield from ((seed, checks(plan, seed)) for seed in left)
            return
        cluster = Cluster(address=plan.cluster) if plan.cluster else None
        work, lost = partial(_checked, plan), partial(_given_up, plan)
        for number, done in sweep(work, left, jobs=plan.jobs, lost=lost, cluster=cluster):
            yield left[number], done

    @property
    def left(self) -> int:
        """How many seeds are not finished."""
        return len(set(self.plan.seeds) - set(self._found))

    @property
    def checks(self) -> list[Check]:
        return [check for seed in self.plan.seeds for check in self._found.get(seed, [])]

    def record(self) -> dict[str, Any]:
        """`run` of the results file."""
        seconds = self.ledger.seconds if self.ledger is not None else time.monotonic() - self._started
        return record(self.header, self.ledger, finished=self.left == 0, seconds=round(seconds, 3))

    def written(self) -> None:
        """All that was found is written elsewhere: the ledger goes, unless there is something left to resume."""
        if self.ledger is not None and (self.stopped or not self.left):
            self.ledger.remove()


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
