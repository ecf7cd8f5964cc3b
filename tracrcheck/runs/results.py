"""`RunResults` and `RunKind`: what a kind of run defines, so that its results can be read, checked and made again."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypedDict, TypeVar

from edgeprune_core.errors import CheckError
from tracrcheck.error_codes import user_error
from tracrcheck.rasp.library import Library
from tracrcheck.records.reading import plain, read
from tracrcheck.runs.compact import merged, spread

Row = TypeVar("Row")


class Sources(TypedDict):
    """Hashes (`records.sources`)."""

    packages: str
    programs: str
    method: str | None


class RunRecord(TypedDict):
    """`run` of a results file (docs/json.md). What `asked` holds depends on the kind of run."""

    command: str
    asked: dict[str, Any]
    commit: str | None
    sources: Sources
    machine: dict[str, Any]
    started: str
    sittings: int
    finished: bool
    seconds: float


class File(TypedDict):
    """What every results file holds. A kind of run adds its rows, and a summary of them."""

    schema: str
    run: RunRecord


@dataclass(frozen=True, kw_only=True)
class RunResults:
    """The results of a run: as far as it has come, or read from a file. run: how they were made (docs/json.md).

    Rows stand in the file under `rows_name` (none: they are of several types), and here in the field `rows_field`; `file` is the type of the whole document,
    `asked` that of `run.asked`. line_each: lists of the document that take one line per item.
    """

    path: Path
    run: dict[str, Any]

    schema: ClassVar[str]
    file: ClassVar[Any]
    asked: ClassVar[Any]
    rows_name: ClassVar[str] = ""
    rows_field: ClassVar[str]
    units_are: ClassVar[str]  # in the plural
    line_each: ClassVar[tuple[str, ...]] = ()

    @property
    def plan(self) -> Any:
        """`run.asked` as its type."""
        return read(self.asked_type(self.run["asked"]), self.run["asked"], "run.asked", [])

    @classmethod
    def asked_type(cls, asked: Mapping[str, Any]) -> Any:
        """The type of `run.asked`, if it depends on the run."""
        return cls.asked

    @classmethod
    def of_file(cls, path: Path, parts: Mapping[str, Any], problems: list[str]) -> Any:
        """The results from a document whose parts have the right types. Appends what is wrong to `problems`."""
        return cls(path=path, run=parts["run"], **{cls.rows_field: tuple(parts[cls.rows_name])})

    @classmethod
    def compact(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON document of a file with fewer rows, which reads as the same results (`runs.compact`)."""
        return dict(document) | {name: merged(document[name]) for name in (cls.rows_name,) if name}

    def problems(self) -> list[str]:
        """Contradictions: rows that are missing, duplicated or not requested, or that cannot be."""
        raise NotImplementedError

    @property
    def units(self) -> Sequence[Any]:
        """What `recheck` samples and makes again. Each has its `seconds`."""
        return getattr(self, self.rows_field)

    @property
    def summary_of_rows(self) -> dict[str, Any]:
        """`summary` of the file."""
        return {}

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document."""
        summary = self.summary_of_rows
        rows = plain(getattr(self, self.rows_field))
        return {
            "schema": self.schema,
            "run": self.run,
            **({"summary": summary} if summary else {}),
            self.rows_name: rows,
        }


@dataclass(frozen=True, kw_only=True)
class RunKind(Generic[Row]):
    """A kind of run whose results can be saved, read and made again.

    results:  the class of its results. name: what they are of. command: what writes them.
    sources:  today's hashes, for what `run.asked` says. Errors: `CheckError` if something it names is gone.
    again:    makes units of a file again: pairs (row of the file, row of today), one or more per unit.
    same:     whether a pair agrees; the last argument: whether the file is from a machine that may round differently.
    named:    which row it is, in words. outcome: what became of the first row of a pair, in words.
    size:     how many pairs `again` makes of a unit. gone: what is requested in a file and exists no more, in words.
    """

    results: type[RunResults]
    name: str
    command: str
    sources: Callable[[Mapping[str, Any], Library], Mapping[str, Any]]
    again: Callable[[Any, Sequence[Any], Library], Iterator[tuple[Row | None, Row | None]]]
    same: Callable[[Row, Row, bool], bool]
    named: Callable[[Row], str]
    outcome: Callable[[Row, Row | None], str]
    size: Callable[[Any], int] = lambda unit: 1
    gone: Callable[[Mapping[str, Any]], list[str]] = lambda asked: []

    @property
    def schema(self) -> str:
        return self.results.schema

    def read(self, path: Path, document: Any) -> Any:
        """Errors: TC143, with everything that is wrong."""
        found, problems = self._read(path, document)
        if problems:
            raise wrong_file(path, problems, kind=self.name, schema=self.schema, command=self.command)
        return found

    def problems(self, document: Any) -> list[str]:
        """What is wrong with a document, in words; empty if it is as docs/json.md says."""
        return self._read(Path(), document)[1]

    def _read(self, path: Path, document: Any) -> tuple[RunResults | None, list[str]]:
        if not isinstance(document, dict) or document.get("schema") != self.schema:
            got = document.get("schema") if isinstance(document, dict) else document
            return None, [f"schema: {got!r}, wanted {self.schema!r}"]
        problems: list[str] = []
        if isinstance(rows := document.get(self.results.rows_name), list):
            document = document | {self.results.rows_name: list(spread(rows))}
        parts = read(self.results.file, document, "", problems)
        run = document.get("run")
        if isinstance(run, dict) and isinstance(asked := run.get("asked"), dict):
            read(self.results.asked_type(asked), asked, "run.asked", problems)
        if problems:
            return None, problems
        found = self.results.of_file(path, parts, problems)
        if problems:
            return None, problems
        problems = found.problems()
        return found, problems or _sums(found.summary_of_rows, parts.get("summary", {}))


def _sums(counted: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    """Where the summary of a file is not what its rows come to. They do not say how many seconds the run took."""
    counted, problems = json.loads(json.dumps(counted)), []
    problems += [f"summary.{name}: no such field" for name in summary if name not in counted]
    for name, value in counted.items():
        if name not in summary:
            problems.append(f"summary.{name}: not there")
        elif name == "seconds":
            read(float, summary[name], "summary.seconds", problems)
        elif summary[name] != value:
            problems.append(f"summary.{name}: {summary[name]}, but the rows come to {value}")
    return problems


def coverage(name: str, found: Sequence[Any], wanted: Collection[Any], *, finished: bool) -> list[str]:
    """What is wrong with the keys of rows: one appears twice, was not requested, or is missing though all is finished."""
    there, asked = set(found), set(wanted)
    problems = [f"{name}: one appears twice"] if len(there) < len(found) else []
    if there - asked:
        problems.append(f"{name}: not requested: {_listed(there - asked)}")
    if finished and asked - there:
        problems.append(f"{name}: missing, though the run is finished: {_listed(asked - there)}")
    return problems


def _listed(keys: Collection[Any], most: int = 3) -> str:
    words = sorted(" ".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in keys)
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def wrong_file(
    path: Path, found: list[str], *, kind: str, schema: str, command: str, most: int = 8
) -> CheckError:
    """TC143, with the first problems of a file."""
    more = [f"and {len(found) - most} more"] if len(found) > most else []
    return user_error(
        "TC143", where=path, got="; ".join([*found[:most], *more]), kind=kind, schema=schema, command=command
    )


def loaded(path: Path) -> Any:
    """The JSON of a file. Errors: TC143."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise unknown_file(path, str(getattr(error, "strerror", None) or error)) from None


def unknown_file(path: Path, problem: str, schemas: str = "tracrcheck") -> CheckError:
    return wrong_file(path, [problem], kind="tracrcheck", schema=schemas, command="COMMAND")
