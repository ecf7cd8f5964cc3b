"""A fuzzing campaign: what was asked, the programs drawn and examined so far. It can be resumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict

from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.pool import sweep
from tracrcheck.generator.accept import Draws, name_of
from tracrcheck.generator.features import Composition, Features
from tracrcheck.rasp.library import Library
from tracrcheck.records.journal import Ledger
from tracrcheck.records.reading import read
from tracrcheck.records.sources import sources_of
from tracrcheck.runs.base import ResumableRun, header
from tracrcheck.runs.fuzz_program import ROOTS, Examined, Row, examine
from tracrcheck.runs.fuzz_score import Bar, Score, score_of
from tracrcheck.runs.gate import contradictions, named, outcome_of, same_verdict
from tracrcheck.runs.gate_units import method_named
from tracrcheck.runs.results import File, RunKind, RunResults
from tracrcheck.truth.setting import Setting


class Asked(TypedDict):
    seed: int
    programs: int
    method: str
    ablations: list[str]
    criteria: list[str]
    timeout: float


class Summary(TypedDict):
    """The part of the summary that the rows do not say."""

    drawn: int
    rejected: dict[str, int]
    short: list[str]


class FuzzFile(File):
    summary: dict[str, Any]
    programs: list[Features]
    rows: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class FuzzResults(RunResults):
    """rejected: reason -> draws. short: what was below the bar when the file was written; the bar may have moved."""

    examined: tuple[Examined, ...]
    drawn: int
    rejected: dict[str, int]
    short: tuple[str, ...] | None = None

    schema = "tracrcheck.fuzz/1"
    file, asked = FuzzFile, Asked
    rows_field, units_are = "examined", "programs"
    line_each = ("programs", "rows")

    @classmethod
    def of_file(cls, path: Path, parts: Mapping[str, Any], problems: list[str]) -> FuzzResults | None:
        asked, programs = parts["run"]["asked"], parts["programs"]
        free = {name: parts["summary"].get(name) for name in Summary.__annotations__}
        summary = read(Summary, free, "summary", problems)
        of: dict[int, list[Row]] = {}
        for number, record in enumerate(parts["rows"]):
            row = read_row(record, f"rows[{number}]", problems, seed=asked["seed"], method=asked["method"])
            if row is not None:
                of.setdefault(row.number, []).append(row)
        if problems:
            return None
        problems += _not_each(programs, of, asked)
        return cls(
            path=path,
            run=parts["run"],
            examined=tuple(Examined(program=p, rows=tuple(of.get(p.number, ()))) for p in programs),
            drawn=summary["drawn"],
            rejected=summary["rejected"],
            short=tuple(summary["short"]),
        )

    @property
    def rows(self) -> list[Row]:
        return [row for done in self.units for row in done.rows]

    def score(self, bar: Bar) -> Score:
        """The score against the bar there is now."""
        composition = Composition.of([done.program for done in self.units])
        return score_of(self.rows, composition, self.run["asked"]["ablations"], bar)

    @property
    def summary_of_rows(self) -> dict[str, Any]:
        score = self.score(Bar()).to_json()
        short = score["short"] if self.short is None else self.short
        return {**score, "short": list(short), "drawn": self.drawn, "rejected": self.rejected}

    @property
    def document(self) -> dict[str, Any]:
        return {
            "schema": self.schema,
            "run": self.run,
            "summary": self.summary_of_rows,
            "programs": [done.program.to_json() for done in self.units],
            "rows": [row.to_json() for row in self.rows],
        }

    def problems(self) -> list[str]:
        found = [
            problem for row in self.rows for problem in contradictions(f"rows of {row.number}", row.verdict)
        ]
        if not self.run["finished"]:
            return found
        n, asked = len(self.units), self.run["asked"]["programs"]
        if n != asked:
            found.append(f"programs: {n} of {asked}, though the run is finished")
        if self.drawn != n + sum(self.rejected.values()):
            found.append(
                f"summary.drawn: {self.drawn}, but programs and rejected draws come to another number"
            )
        return found


def _not_each(
    programs: Sequence[Features], of: Mapping[int, Sequence[Row]], asked: Mapping[str, Any]
) -> list[str]:
    """Whether each program is there once, in the order of the draws, with one row per setting."""
    numbers = [program.number for program in programs]
    settings = [(number, c, a) for number in numbers for c in asked["criteria"] for a in asked["ablations"]]
    keys = [(row.number, row.verdict.criterion, row.ablation) for rows in of.values() for row in rows]
    problems = (
        [] if numbers == sorted(set(numbers)) else ["programs: not in the order of their draws, each once"]
    )
    if len(set(keys)) < len(keys) or set(keys) != set(settings):
        problems.append("rows: not one for each program and setting")
    return problems


def read_row(record: Any, where: str, problems: list[str], *, seed: int, method: str) -> Row | None:
    """A row of the file. seed: of the draws."""
    number = record.get("number") if isinstance(record, dict) else None
    given = {
        "program": f"{name_of(seed, number)}" if isinstance(number, int) else "",
        "method": method,
        "seed": number,
    }
    return read(Row, record, where, problems, given)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """programs: how many accepted ones of the draws of `seed`; timeout: seconds that one run of the method has.

    jobs: worker processes. cluster: the address of a Dask scheduler, whose workers are used instead.
    """

    seed: int
    programs: int
    settings: tuple[Setting, ...]
    method: str
    timeout: float
    jobs: int = 1
    cluster: str | None = None

    def header(self, command: str) -> dict[str, Any]:
        """What the run is, and what it is made with."""
        asked: Asked = {
            "seed": self.seed,
            "programs": self.programs,
            "method": self.method,
            "ablations": list(dict.fromkeys(s.ablation for s in self.settings)),
            "criteria": list(dict.fromkeys(s.criterion for s in self.settings)),
            "timeout": self.timeout,
        }
        return header("fuzz", command, asked, sources_of([], method_named(self.method), roots=ROOTS))


class Line(TypedDict):
    """A program in the journal."""

    program: Features
    rows: list[dict[str, Any]]


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

    def row_of(self, line: Mapping[str, Any], problems: list[str]) -> Examined | None:
        parts = read(Line, line, "row", problems)
        one = partial(read_row, problems=problems, seed=self.plan.seed, method=self.plan.method)
        rows = [one(row, f"row.rows[{n}]") for n, row in enumerate(parts["rows"] if parts else ())]
        return None if problems else Examined(program=parts["program"], rows=tuple(rows))  # type: ignore[arg-type]

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
            examined=tuple(self.done),
            drawn=self.drawn,
            rejected=dict(self.rejected),
        )


# In other processes ------------------------------------------------------------------------------------


def _examine(plan: Plan, number: int) -> Examined:
    return examine(plan.seed, number, plan.settings, method=plan.method, timeout=plan.timeout)


def _given_up(plan: Plan, number: int, why: str) -> Examined:
    return examine(plan.seed, number, plan.settings, method=plan.method, timeout=plan.timeout, died=why)


# Made again --------------------------------------------------------------------------------------------


def again(
    results: FuzzResults, units: Sequence[Examined], library: Library
) -> Iterator[tuple[Judged, Judged]]:
    asked = results.run["asked"]
    for then in units:
        settings = [Setting(ablation=row.ablation, criterion=row.verdict.criterion) for row in then.rows]  # type: ignore[arg-type]
        now = examine(
            asked["seed"], then.program.number, settings, method=asked["method"], timeout=asked["timeout"]
        )
        for row, row_now in zip(then.rows, now.rows, strict=True):
            yield (then.program, row), (now.program, row_now)


Judged = tuple[Features, Row]


def _beside(judged: Judged) -> dict[str, Any]:
    """What must be equal beside the verdict."""
    features, row = judged
    return features.to_json() | {
        "proved": row.proved,
        "n_permitted": row.n_permitted,
        "trivial": dict(row.trivial),
    }


def _outcome(judged: Judged, other: Judged | None) -> str:
    beside = _beside(other) if other else {}
    differs = {name: value for name, value in _beside(judged).items() if beside.get(name) != value}
    return outcome_of(judged[1].verdict) + "".join(f", {name} {value}" for name, value in differs.items())


FUZZ = RunKind(
    results=FuzzResults,
    name="fuzzing",
    command="fuzz",
    sources=lambda asked, library: sources_of([], method_named(asked["method"]), roots=ROOTS),
    again=again,
    same=lambda then, now, elsewhere: (
        same_verdict(then[1].verdict, now[1].verdict, elsewhere) and _beside(then) == _beside(now)
    ),
    named=lambda judged: named(judged[1].verdict),
    outcome=_outcome,
    size=lambda unit: len(unit.rows),
)
