"""A fuzzing campaign: draws programs and examines each. It can be resumed, and run in several processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict

from tracrcheck.generator.accept import Draws, name_of
from tracrcheck.generator.features import Composition, Features
from tracrcheck.grading.by_name import method_or_name
from tracrcheck.rasp.library import Library
from tracrcheck.records.reading import LATER, plain, read
from tracrcheck.records.sources import sources_of
from tracrcheck.runs import base
from tracrcheck.runs.fuzz_program import ROOTS, Examined, Row, examine
from tracrcheck.runs.fuzz_score import Bar, Score, score_of
from tracrcheck.runs.gate import contradictions, named, outcome_of, same_verdict
from tracrcheck.runs.results import File, RunKind, RunResults
from tracrcheck.truth.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Plan(base.Plan):
    """programs: how many accepted ones of the draws of `seed`; timeout: seconds that one run of the method has.

    memory: MiB that the method's process may allocate. in_process: it has no process of its own. size: of `generator.sample.SIZES`.
    """

    seed: int
    programs: int
    method: str
    ablations: tuple[str, ...]
    criteria: tuple[str, ...] = ("value",)
    timeout: float
    memory: int | None = field(default=None, metadata=LATER)
    in_process: bool = field(default=False, metadata=LATER)
    size: str = field(default="small", metadata=LATER)

    kind = "fuzz"

    @property
    def settings(self) -> list[Setting]:
        return [Setting(ablation=a, criterion=c) for a in self.ablations for c in self.criteria]  # type: ignore[arg-type]

    def sources(self) -> dict[str, str | None]:
        return sources_of([], method_or_name(self.method), roots=ROOTS)


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
    drawn: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    short: tuple[str, ...] | None = None

    schema = "tracrcheck.fuzz/1"
    file, asked = FuzzFile, Plan
    rows_field, units_are = "examined", "programs"
    line_each = ("programs", "rows")

    @classmethod
    def of_file(cls, path: Path, parts: Mapping[str, Any], problems: list[str]) -> FuzzResults | None:
        asked, programs = parts["run"]["asked"], parts["programs"]
        free = {name: parts["summary"].get(name) for name in Summary.__annotations__}
        summary = read(Summary, free, "summary", problems)
        of: dict[int, list[Row]] = {}
        for number, record in enumerate(parts["rows"]):
            row = read_row(record, f"rows[{number}]", problems, **_given(asked))
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
        asked, n = self.run["asked"], len(self.units)
        composition = Composition.of([done.program for done in self.units])
        score = score_of(self.rows, composition, asked["ablations"], bar)
        if self.run["finished"]:
            return score
        return replace(score, short=(f"programs: {n} of {asked['programs']} were examined", *score.short))

    @property
    def exit_code(self) -> int:
        """0 if the bar is reached."""
        return int(bool(self.score(Bar()).short))

    @property
    def summary_of_rows(self) -> dict[str, Any]:
        score = plain(self.score(Bar()))
        short = score["short"] if self.short is None else self.short
        return {**score, "short": list(short), "drawn": self.drawn, "rejected": self.rejected}

    @property
    def document(self) -> dict[str, Any]:
        return {
            "schema": self.schema,
            "run": self.run,
            "summary": self.summary_of_rows,
            "programs": plain([done.program for done in self.units]),
            "rows": plain(self.rows),
        }

    def problems(self) -> list[str]:
        found = [
            problem
            for row in self.rows
            for problem in contradictions(
                f"rows of {row.number}", row.verdict, method=self.run["asked"]["method"]
            )
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


def _given(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the run says of each row."""
    return {"seed": asked["seed"], "method": asked["method"], "size": asked.get("size", "small")}


def read_row(
    record: Any, where: str, problems: list[str], *, seed: int, method: str, size: str
) -> Row | None:
    """A row of the file. seed, size: of the draws."""
    number = record.get("number") if isinstance(record, dict) else None
    given = {
        "program": name_of(seed, number, size) if isinstance(number, int) else "",
        "method": method,
        "seed": number,
    }
    return read(Row, record, where, problems, given)


class Line(TypedDict):
    """A program in the journal."""

    program: Features
    rows: list[dict[str, Any]]


class Campaign(base.ResumableRun[int, Examined]):
    """A row for each accepted draw, whose units are the numbers of the draws.

    rejected: reason -> how many; drawn: in all.
    """

    things, label, row, results_type = "programs", "fuzz", Examined, FuzzResults

    def __init__(self, plan: Plan, *rest: Any) -> None:
        self.plan = plan
        super().__init__(*rest)
        self.rejected: Counter[str] = Counter()
        self.drawn = 0

    def key(self, row: Examined) -> int:
        return row.program.number

    def row_of(self, line: Mapping[str, Any], problems: list[str]) -> Examined | None:
        parts = read(Line, line, "row", problems)
        given = _given(plain(self.plan))
        rows = [
            read_row(row, f"row.rows[{n}]", problems, **given)
            for n, row in enumerate(parts["rows"] if parts else ())
        ]
        return None if problems else Examined(program=parts["program"], rows=tuple(rows))  # type: ignore[arg-type]

    def phases(self) -> Iterator[tuple[Iterable[Any], int, str]]:
        yield self.draw(), self.plan.programs, "draw"
        yield from super().phases()

    def draw(self) -> Iterator[int]:
        """The numbers of the accepted draws."""
        draws = Draws(seed=self.plan.seed, size=self.plan.size, rejected=self.rejected)
        for number, _ in islice(draws, self.plan.programs):
            self.drawn = draws.drawn
            self.units[number] = number
            yield number

    def make(self, units: list[int]) -> Iterator[Examined]:
        work = partial(examined, self.plan)
        return self.workers.each(work, units, lost=work, methods=(self.plan.method,))

    @property
    def total(self) -> int:
        """All that are wanted, drawn or not."""
        return self.plan.programs

    def results(self, path: Path | None = None) -> FuzzResults:
        drawn, rejected = self.drawn, dict(self.rejected)
        return replace(super().results(path), drawn=drawn, rejected=rejected)


def examined(plan: Plan, number: int, died: str | None = None) -> Examined:
    """A draw examined as the plan says. died: why it could not be."""
    return examine(
        plan.seed, number, plan.settings, method=plan.method, timeout=plan.timeout, size=plan.size,
        memory_mib=plan.memory, in_process=plan.in_process, died=died,
    )  # fmt: skip


# Made again --------------------------------------------------------------------------------------------


def again(
    results: FuzzResults, units: Sequence[Examined], library: Library
) -> Iterator[tuple[Judged, Judged]]:
    for then in units:
        now = examined(results.plan, then.program.number)
        by_setting = {(row.ablation, row.verdict.criterion): row for row in now.rows}
        for row in then.rows:
            yield (then.program, row), (now.program, by_setting[row.ablation, row.verdict.criterion])


Judged = tuple[Features, Row]


def _beside(judged: Judged) -> dict[str, Any]:
    """What must be equal besides the verdict."""
    features, row = judged
    return plain(features) | {
        name: plain(getattr(row, name)) for name in ("proved", "n_permitted", "trivial")
    }


def _outcome(judged: Judged, other: Judged | None) -> str:
    beside = _beside(other) if other else {}
    differs = {name: value for name, value in _beside(judged).items() if beside.get(name) != value}
    there = None if other is None else other[1].verdict
    return outcome_of(judged[1].verdict, there) + "".join(
        f", {name} {value}" for name, value in differs.items()
    )


FUZZ = RunKind(
    results=FuzzResults,
    name="fuzzing",
    command="fuzz",
    sources=lambda asked, library: sources_of([], method_or_name(asked["method"]), roots=ROOTS),
    again=again,
    same=lambda then, now, elsewhere: (
        same_verdict(then[1].verdict, now[1].verdict, elsewhere) and _beside(then) == _beside(now)
    ),
    named=lambda judged: named(judged[1].verdict),
    outcome=_outcome,
    size=lambda unit: len(unit.rows),
)
