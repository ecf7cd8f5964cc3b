"""What every kind of run shares: a plan, a header, workers, a journal, and rows made unit by unit that can be resumed.

To add a kind: docs/extend/run.md. Its `RunKind` goes into `RUNS` of `kinds.py`.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from tracrcheck.error_codes import user_error
from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.pool import sweep
from tracrcheck.records.journal import Ledger, differences
from tracrcheck.records.machine import machine
from tracrcheck.records.reading import plain, read
from tracrcheck.records.sources import commit
from tracrcheck.runs.results import RunResults

Unit = TypeVar("Unit")
Row = TypeVar("Row")

# The parts of the header that must be equal for a run to be resumed.
AGREE = ("kind", "asked", "sources")


def ledger_path(results: Path) -> Path:
    """The journal of a run whose results go to `results`; it exists until the run is finished."""
    return results.with_name(results.name + ".part")


def header(
    kind: str, command: str, asked: Mapping[str, Any], sources: Mapping[str, str | None]
) -> dict[str, Any]:
    """What a run is, and what it is made with, in the order of docs/json.md."""
    now = made_now(command)
    return {
        "kind": kind,
        "command": command,
        "asked": plain(asked),
        "commit": now["commit"],
        "sources": dict(sources),
        "machine": now["machine"],
        "started": now["started"],
    }


@dataclass(frozen=True, kw_only=True)
class Plan(ABC):
    """The settings of a run, which the results file keeps as `run.asked`."""

    kind: ClassVar[str]

    @abstractmethod
    def sources(self) -> Mapping[str, str | None]:
        """What the run is made with."""

    def header(self, command: str) -> dict[str, Any]:
        """What the run is, and what it is made with."""
        return header(self.kind, command, plain(self), self.sources())


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Which processes do the work: this one, `jobs` others, or those of a `cluster` (the address of a Dask scheduler)."""

    jobs: int = 1
    cluster: str | None = None

    @property
    def here(self) -> bool:
        return self.jobs == 1 and self.cluster is None

    def each(
        self,
        work: Callable[[Any], Row],
        units: Sequence[Any],
        *,
        lost: Callable[[Any, str], Row],
        files: Iterable[Path | str] = (),
        methods: tuple[str, ...] = (),
    ) -> Iterator[Row]:
        """The results of `executors.pool.sweep`. files, methods: what a cluster must have as well."""
        cluster = None
        if self.cluster is not None:
            paths = tuple(sorted(str(Path(file).resolve()) for file in files))
            cluster = Cluster(address=self.cluster, files=paths, methods=methods)
        for _, made in sweep(work, units, jobs=self.jobs, lost=lost, cluster=cluster):
            yield made


def made_now(command: str) -> dict[str, Any]:
    """The part of `run` that reports show, for results that are not saved as a run."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"command": command, "commit": commit(), "machine": machine(), "started": now}


def until(minutes: float | None) -> Callable[[], bool]:
    """Whether so many minutes have passed since this call."""
    end = None if minutes is None else time.monotonic() + 60 * minutes
    return lambda: end is not None and time.monotonic() >= end


def finished_there(results: Path | None, header: Mapping[str, Any]) -> bool:
    """Whether `results` already holds this run, finished: the same request on the same sources.

    False where the sources have changed: the run is then made again. Errors: TC146 if another request was made, or if it holds
    this run, unfinished: without the journal it would be made again from the beginning, and replaced.
    """
    if results is None or not results.is_file() or ledger_path(results).exists():
        return False
    try:
        document = json.loads(results.read_text(encoding="utf-8"))
        there, has_rows = document["run"], any(part and isinstance(part, list) for part in document.values())
        differs = differences(there, header, ("asked",))
        same = not differences(there, header, ("asked", "sources"))
        finished = bool(there["finished"]) and same
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    if differs:
        raise user_error("TC146.request", where=results, got="; ".join(differs))
    if same and has_rows and not finished:
        raise user_error(
            "TC146.journal", where=results, got="unfinished results", journal=ledger_path(results)
        )
    return finished


@contextmanager
def open_ledger(results: Path | None, header: Mapping[str, Any], *, resume: bool) -> Iterator[Ledger | None]:
    """The journal of a run whose results go to `results`; None if that is not a file.

    A journal without any result is removed at the end. Errors: TC117, and those of `Ledger.open`.
    """
    if results is None or (results.exists() and not results.is_file()):
        if resume:
            raise user_error(
                "TC117.resume",
                where="--resume",
                got="no --json" if results is None else str(results),
                option="--json",
            )
        yield None
        return
    ledger = Ledger.open(ledger_path(results), header, resume=resume, agree=AGREE)
    try:
        yield ledger
    finally:
        if ledger.rows:
            ledger.close()
        else:
            ledger.remove()


class ResumableRun(ABC, Generic[Unit, Row]):
    """Makes a row for each unit. It can be stopped and resumed, and finish the units in any order.

    A kind of run says how rows are made (`make`) and identified (`key`).

    units: by the key of their row, in the order of the results. ledger: the journal each row is written to as soon as it
    is finished, and from which those of earlier sessions are read; None: no journal.
    """

    things: str  # what the rows are, in the plural
    label: str  # of the progress bar
    row: Any  # the type of a row
    results_type: type[RunResults]

    def __init__(
        self,
        header: Mapping[str, Any],
        ledger: Ledger | None = None,
        workers: Workers | None = None,
        *,
        units: Mapping[Any, Unit] | None = None,
    ) -> None:
        self.ledger = ledger
        self.workers = workers or Workers()
        self.header = dict(ledger.header if ledger else header)
        self.units = dict(units or {})
        self.interrupted = False
        self._started = time.monotonic()
        self._found = {self.key(row): row for row in self._rows_before()}
        self.resumed = len(self._found)

    def _rows_before(self) -> list[Any]:
        """The rows in the journal. Errors: TC145."""
        problems: list[str] = []
        rows = [self.row_of(line, problems) for line in (self.ledger.rows if self.ledger else ())]
        if self.ledger is not None and problems:
            raise self.ledger.unreadable(problems[0])
        return rows

    @abstractmethod
    def make(self, units: list[Unit]) -> Iterator[Any]:
        """The rows of these units, as they are finished."""

    @abstractmethod
    def key(self, row: Row) -> Hashable:
        """Which unit the row is of."""

    def results(self, path: Path | None = None) -> Any:
        """The results so far, as they are read from the file at `path`."""
        rows = {self.results_type.rows_field: tuple(self.done)}
        return self.results_type(path=path or Path(), run=self.record(), **rows)

    def row_of(self, line: Mapping[str, Any], problems: list[str]) -> Any:
        """A row from its line in the journal. Appends what is wrong to `problems`."""
        return read(self.row, line, "row", problems)

    def line_of(self, row: Any) -> dict[str, Any]:
        """The inverse of `row_of`."""
        return plain(row)

    def go(self) -> Iterator[Any]:
        """Makes the rows that are missing."""
        for row in self.make([unit for key, unit in self.units.items() if key not in self._found]):
            self.keep(row)
            yield row

    def keep(self, row: Row) -> None:
        if self.ledger is not None:
            self.ledger.append(self.line_of(row))
        self._found[self.key(row)] = row

    def phases(self) -> Iterator[tuple[Iterable[Any], int, str]]:
        """What is done, one after another: the items, how many there will be, and a label."""
        yield self.go(), self.left, self.label

    @property
    def done(self) -> list[Any]:
        """What is finished, in the order of the units."""
        return [self._found[key] for key in self.units if key in self._found]

    @property
    def total(self) -> int:
        return len(self.units)

    @property
    def left(self) -> int:
        return self.total - sum(key in self._found for key in self.units)

    @property
    def missing(self) -> int:
        """Rows that a run that came to its end should have made."""
        return self.left

    @cached_property
    def seconds(self) -> float:
        """Of all sessions. Read once, at the end."""
        seconds = self.ledger.seconds if self.ledger is not None else time.monotonic() - self._started
        return round(seconds, 3)

    def record(self) -> dict[str, Any]:
        """`run` of the results file."""
        shown = {name: part for name, part in self.header.items() if name not in ("schema", "kind")}
        sittings = 1 if self.ledger is None else self.ledger.sittings
        return {**shown, "sittings": sittings, "finished": self.left == 0, "seconds": self.seconds}

    def written(self) -> None:
        """The results are saved: removes the journal, unless something is left to resume."""
        if self.ledger is not None and not self.left:
            self.ledger.remove()
