"""A kind of run is one record in `RUNS`: a new one is read, refused, found stale and rechecked without any other change."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pytest

from edgeprune_core.errors import CheckError
from tracrcheck.runs import kinds
from tracrcheck.runs.base import ResumableRun, header, open_ledger
from tracrcheck.runs.kinds import read_any
from tracrcheck.runs.results import File, RunKind, RunResults, coverage

SOURCES = {"packages": "a" * 64, "programs": "b" * 64, "method": None}


@dataclass(frozen=True, kw_only=True)
class Square:
    """A toy: the square of a number."""

    number: int
    square: int
    seconds: float = 0.0


class Asked(TypedDict):
    numbers: list[int]


class SquareFile(File):
    summary: dict[str, Any]
    squares: list[Square]


@dataclass(frozen=True, kw_only=True)
class Squares(RunResults):
    squares: tuple[Square, ...]

    schema = "tracrcheck.squares/1"
    file, asked = SquareFile, Asked
    rows_name = rows_field = units_are = "squares"

    @property
    def summary_of_rows(self) -> dict[str, Any]:
        return {"sum": sum(row.square for row in self.squares)}

    def problems(self) -> list[str]:
        numbers = [row.number for row in self.squares]
        return coverage("squares", numbers, self.run["asked"]["numbers"], finished=self.run["finished"])


class Squaring(ResumableRun[int, Square]):
    things, label, row, results_type = "squares", "square", Square, Squares

    def __init__(self, numbers, *rest):
        super().__init__(*rest, units={number: number for number in numbers})

    def key(self, row):
        return row.number

    def make(self, units):
        yield from (Square(number=n, square=n * n) for n in reversed(units))


def kind(square: Callable[[int], int] = lambda n: n * n, **change) -> RunKind:
    rest: dict[str, Any] = {
        "results": Squares,
        "name": "squares",
        "command": "square",
        "sources": lambda asked, library: SOURCES,
        "again": lambda results, rows, library: (
            (row, Square(number=row.number, square=square(row.number))) for row in rows
        ),
        "same": lambda then, now, elsewhere: then.square == now.square,
        "named": lambda row: f"square of {row.number}",
        "outcome": lambda row, other: str(row.square),
    }
    return RunKind(**rest | change)


@pytest.fixture
def made(here, monkeypatch):
    """A finished file of three squares, of a run in two sittings."""
    monkeypatch.setitem(kinds.RUNS, Squares.schema, kind())
    about = header("squares", "tracrcheck square", {"numbers": [1, 2, 3]}, SOURCES)
    with open_ledger(Path("out.json"), about, resume=False) as ledger:
        next(Squaring([1, 2, 3], about, ledger).go())
    with open_ledger(Path("out.json"), about, resume=True) as ledger:
        run = Squaring([1, 2, 3], about, ledger)
        assert (run.resumed, run.left, run.total) == (1, 2, 3)
        list(run.go())
        Path("out.json").write_text(json.dumps(run.results().document))
        run.written()
    assert list(here.iterdir()) == [here / "out.json"]
    return json.loads(Path("out.json").read_text())


def test_its_file_is_read_with_the_rows_in_the_order_of_the_units(made):
    found = read_any(Path("out.json"))
    assert isinstance(found, Squares)
    assert [row.number for row in found.squares] == [1, 2, 3]
    assert (found.run["sittings"], made["summary"]) == (2, {"sum": 14})
    assert found.document == made


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d["squares"][0].update(square="1"), "squares[0].square: '1', wanted a whole number"),
        (lambda d: d["squares"].pop(), "squares: missing, though the run is finished: 3"),
        (lambda d: d["squares"].append(d["squares"][0]), "squares: one appears twice"),
        (lambda d: d["squares"][0].update(number=9), "squares: not requested: 9"),
        (lambda d: d["summary"].update(sum=15), "summary.sum: 15, but the rows come to 14"),
        (lambda d: d["summary"].pop("sum"), "summary.sum: not there"),
        (lambda d: d["summary"].update(more=1), "summary.more: no such field"),
        (
            lambda d: d["run"]["asked"].update(numbers=["1"]),
            "run.asked.numbers[0]: '1', wanted a whole number",
        ),
    ],
)
def test_a_file_that_is_not_sound_is_refused(made, call, change, problem):
    change(made)
    Path("out.json").write_text(json.dumps(made))
    result = call("recheck", "out.json")
    assert result.exit_code == 2
    assert result.stderr.startswith("TC143 out.json not a results file of squares\n")
    assert problem in result.stderr
    assert "`tracrcheck square --json FILE`" in result.stderr


def test_it_is_rechecked(made, call, monkeypatch):
    result = call("recheck", "out.json", "--share", "1", "--seed", "5")
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        ["out.json: 3 of 3 squares run again, sample of seed 5", "3 the same, 0 different"],
    )
    monkeypatch.setitem(kinds.RUNS, Squares.schema, kind(lambda n: n * n + (n == 2)))
    result = call("recheck", "out.json", "--share", "1")
    assert result.exit_code == 1
    assert "DIFFERENT square of 2: 4 in the file, 5 now" in result.stdout.splitlines()


def test_it_is_stale_by_its_sources_and_by_what_is_gone(made, call, monkeypatch):
    now = SOURCES | {"packages": "f" * 64}
    monkeypatch.setitem(
        kinds.RUNS,
        Squares.schema,
        kind(sources=lambda asked, library: now, gone=lambda asked: [f"no {n}" for n in asked["numbers"]]),
    )
    lines = call("recheck", "out.json").stdout.splitlines()
    assert lines[0].startswith("STALE out.json: made from other sources")
    assert lines[1:] == [
        "    packages: aaaaaaaaaaaa there, ffffffffffff now",
        "    no 1",
        "    no 2",
        "    no 3",
    ]


def test_a_line_of_its_journal_that_is_not_a_row_is_refused(here):
    about = header("squares", "tracrcheck square", {"numbers": [1]}, SOURCES)
    with open_ledger(Path("out.json"), about, resume=False) as ledger:
        ledger.append({"number": 1})
    with pytest.raises(CheckError, match=r"TC145 .*\n.*row\.square: not there"), open_ledger(Path("out.json"), about, resume=True) as ledger:  # fmt: skip
        Squaring([1], about, ledger)
