"""The main job: compile, compare with RASP, certify, ask the method, grade; verdicts as they come."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, TypedDict

from edgeprune_core.errors import CheckError
from edgeprune_core.task import Task
from tracrcheck.compiler.compile import Compiled, compile_program
from tracrcheck.error_codes import user_error
from tracrcheck.grading.by_name import find_method
from tracrcheck.grading.judge import AUTO, Judge, judged
from tracrcheck.grading.run_method import Answer, ask_all
from tracrcheck.grading.verdict import Key, Summary, Verdict
from tracrcheck.rasp.library import Library, load_file
from tracrcheck.records.reading import read
from tracrcheck.records.sources import sources_of
from tracrcheck.runs import base
from tracrcheck.runs.results import File, RunKind, RunResults, coverage
from tracrcheck.truth.cache import certificate_for
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.program_check import prepare
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

# Seconds one run of a method may take. The slowest of ours takes minutes on the largest programs and two cores.
TIMEOUT = 1800.0


class AskedLater(TypedDict, total=False):
    """What older files do not have. select: a selector, by its name."""

    judge: str
    select: str | None


class Asked(AskedLater):
    programs: list[str]
    method: str
    ablations: list[str]
    criteria: list[str]
    lengths: list[int] | None
    score_bos: bool
    seeds: list[int]
    timeout: float | None


class GateFile(File):
    verdicts: list[dict[str, Any]]
    summary: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Results(RunResults):
    verdicts: tuple[Verdict, ...]
    summary: dict[str, Any]

    schema = "tracrcheck.gate/1"
    file, asked = GateFile, Asked
    rows_name = rows_field = units_are = "verdicts"

    @classmethod
    def of_file(cls, path: Path, parts: Mapping[str, Any], problems: list[str]) -> Results:
        verdicts = [
            read(Verdict, record, f"verdicts[{number}]", problems, {"detail": ""})
            for number, record in enumerate(parts["verdicts"])
        ]
        return cls(path=path, run=parts["run"], verdicts=tuple(verdicts), summary=parts["summary"])

    @property
    def summary_of_rows(self) -> dict[str, Any]:
        return Summary.of(self.verdicts, self.summary.get("seconds", 0.0)).to_json()

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document, with the summary last."""
        document = super().document
        summary = document.pop("summary")
        return document | {"summary": summary}

    def problems(self) -> list[str]:
        asked = self.run["asked"]
        wanted = itertools.product(asked["programs"], asked["ablations"], asked["criteria"], asked["seeds"])
        keys = [verdict.key for verdict in self.verdicts]
        return [
            *coverage("verdicts", keys, set(wanted), finished=self.run["finished"]),
            *(
                p
                for n, verdict in enumerate(self.verdicts)
                for p in contradictions(f"verdicts[{n}]", verdict)
            ),
        ]


def contradictions(where: str, v: Verdict) -> list[str]:
    """What one part of a verdict says against another."""
    holds = v.verdict == "HOLDS"
    found = [f"{where}.reason: {v.reason!r} where it {v.verdict}"] if holds != (v.reason is None) else []
    if holds and (v.missing or v.extra or v.n_found != v.n_required):
        found.append(f"{where}: it HOLDS, with differences")
    return found


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked of every program: settings x seeds, of one method.

    workers: other processes need `paths`, the file of each program, and find the method by its name.
    """

    settings: tuple[Setting, ...]
    method: Callable[[Task], Any]
    method_name: str
    seeds: tuple[int, ...] = (0,)
    judge: Judge = AUTO
    timeout: float | None = TIMEOUT
    workers: base.Workers = field(default_factory=base.Workers)
    paths: Mapping[str, Path] = field(default_factory=dict)

    @property
    def runs_per_program(self) -> int:
        return len(self.settings) * len(self.seeds)

    @property
    def together(self) -> bool:
        """Whether the method trains several seeds at once."""
        return hasattr(self.method, "many")

    def keys(self, programs: Sequence[Compiled]) -> list[Key]:
        """Every verdict there will be, in order."""
        return [
            (compiled.program.name, setting.ablation, setting.criterion, seed)
            for compiled in programs
            for setting in self.settings
            for seed in self.seeds
        ]

    def header(self, command: str) -> dict[str, Any]:
        """What the run is, and what it is made with."""
        lengths = self.settings[0].lengths if self.settings else None
        asked: Asked = {
            "programs": sorted(self.paths),
            "method": self.method_name,
            "ablations": list(dict.fromkeys(s.ablation for s in self.settings)),
            "criteria": list(dict.fromkeys(s.criterion for s in self.settings)),
            "lengths": list(lengths) if lengths else None,
            "score_bos": any(s.score_bos for s in self.settings),
            "seeds": list(self.seeds),
            "timeout": self.timeout,
            "judge": self.judge.on,
            "select": None if self.judge.select is None else self.judge.select.name,
        }
        return base.header("gate", command, asked, sources_of(self.paths.values(), self.method))


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What one process does at a time: some seeds of one program in one setting."""

    program: str
    path: Path
    setting: Setting
    seeds: tuple[int, ...]


class Run(base.ResumableRun[Key, Verdict]):
    """A run of the gate: a verdict for each program, setting and seed."""

    things, label, row, results_type = "verdicts", "gate", Verdict, Results

    def __init__(self, programs: Sequence[Compiled], plan: Plan, *rest: Any) -> None:
        super().__init__(*rest, units={key: key for key in plan.keys(programs)})
        self.programs, self.plan = programs, plan

    def make(self, units: list[Key]) -> Iterator[Verdict]:
        return gate(self.programs, self.plan, done=self.units.keys() - set(units))

    def key(self, row: Verdict) -> Key:
        return row.key

    def line_of(self, row: Verdict) -> dict[str, Any]:
        return row.to_json() | {"detail": row.detail}

    @property
    def verdicts(self) -> list[Verdict]:
        return self.done

    def results(self, path: Path | None = None) -> Results:
        """With the `detail` of each verdict, which the file does not keep."""
        verdicts = tuple(replace(v, seconds=round(v.seconds, 3)) for v in self.done)  # as in the file
        summary = Summary.of(verdicts, self.seconds).to_json()
        return Results(path=path or Path(), run=self.record(), verdicts=verdicts, summary=summary)


def wrong_calls(verdicts: Iterable[Verdict]) -> list[CheckError]:
    """Edges that the graph does not have, and answers that can be read in several ways: verdicts, and wrong calls as well."""
    rows = {"foreign_edges": "TC114.foreign", "refused": "TC114.refused"}
    return [
        user_error(
            rows[v.reason],
            where=f"{v.ablation}, seed {v.seed}:",
            got=v.detail,
            method=v.method,
            program=v.program,
        )
        for v in verdicts
        if v.reason in rows
    ]


def gate(programs: Sequence[Compiled], plan: Plan, *, done: Collection[Key] = ()) -> Iterator[Verdict]:
    """Verdicts but those that are `done`: in order with one job, as they are finished with several, or by a cluster."""
    if plan.workers.here:
        for compiled, setting, seeds in _left(programs, plan, done):
            yield from judge(compiled, setting, seeds, plan)
        return
    by_name = {compiled.program.name: compiled for compiled in programs}
    units = [
        Unit(program=name, path=plan.paths[name].resolve(), setting=setting, seeds=part)
        for compiled, setting, seeds in _left(programs, plan, done)
        for name in [compiled.program.name]
        for part in ([seeds] if plan.together else [(seed,) for seed in seeds])
    ]
    yield from _swept(by_name, units, plan)


def _swept(by_name: Mapping[str, Compiled], units: Sequence[Unit], plan: Plan) -> Iterator[Verdict]:
    """A unit of several seeds that is given up is taken apart: each has its own reason, as in `ask_all`."""
    work = partial(_judge_unit, method_name=plan.method_name, timeout=plan.timeout, how=plan.judge)
    apart: list[Unit] = []

    def lost(unit: Unit, why: str) -> list[Verdict]:
        if len(unit.seeds) > 1:
            apart.extend(replace(unit, seeds=(seed,)) for seed in unit.seeds)
            return []
        return _given_up(by_name[unit.program], unit, why, plan)

    files = {unit.path for unit in units}
    for verdicts in plan.workers.each(work, units, lost=lost, files=files, methods=(plan.method_name,)):
        yield from verdicts
    if apart:
        yield from _swept(by_name, apart, plan)


def judge(compiled: Compiled, setting: Setting, seeds: Sequence[int], plan: Plan) -> Iterator[Verdict]:
    """The verdicts of one program in one setting, in the order of the seeds."""
    task = task_of(compiled, setting)
    certificate = certificate_for(task, setting)
    for part in [seeds] if plan.together else [(seed,) for seed in seeds]:
        answers = ask_all(plan.method, task, seeds=part, timeout=plan.timeout)
        for seed, answer in zip(part, answers, strict=True):
            yield _judged(compiled, task, certificate, answer, plan, seed)


def _judged(
    compiled: Compiled, task: Task, certificate: Certificate, answer: Answer, plan: Plan, seed: int
) -> Verdict:
    return judged(compiled, task, certificate, answer, method=plan.method_name, seed=seed, judge=plan.judge)


def _left(
    programs: Sequence[Compiled], plan: Plan, done: Collection[Key]
) -> Iterator[tuple[Compiled, Setting, tuple[int, ...]]]:
    """Where there is anything left to do, and for which seeds."""
    for compiled in programs:
        for setting in plan.settings:
            name, ablation, criterion = compiled.program.name, setting.ablation, setting.criterion
            seeds = tuple(s for s in plan.seeds if (name, ablation, criterion, s) not in done)
            if seeds:
                yield compiled, setting, seeds


# In other processes ------------------------------------------------------------------------------------


def _judge_unit(unit: Unit, *, method_name: str, timeout: float | None, how: Judge) -> list[Verdict]:
    plan = Plan(
        settings=(unit.setting,),
        method=_method(method_name),
        method_name=method_name,
        seeds=unit.seeds,
        judge=how,
        timeout=timeout,
    )
    return list(judge(_compiled(unit.path), unit.setting, unit.seeds, plan))


@cache
def _compiled(path: Path) -> Compiled:
    """Once a process; it was compared with RASP before the first unit was sent out."""
    return compile_program(load_file(path).program)


_method = cache(find_method)


def _given_up(compiled: Compiled, unit: Unit, why: str, plan: Plan) -> list[Verdict]:
    task = task_of(compiled, unit.setting)
    certificate = certificate_for(task, unit.setting)
    answer = Answer(fault="raised", detail=why)
    return [_judged(compiled, task, certificate, answer, plan, seed) for seed in unit.seeds]


# Made again --------------------------------------------------------------------------------------------


def again(
    results: Results, verdicts: Sequence[Verdict], library: Library
) -> Iterator[tuple[Verdict, Verdict]]:
    """Errors: those of compiling."""
    asked = results.run["asked"]
    names = list(dict.fromkeys(v.program for v in verdicts))
    ready, wrong = prepare(
        [entry for entry in library.chosen(asked["programs"]) if entry.program.name in names]
    )
    for error in wrong:
        raise error
    by_name = {compiled.program.name: compiled for compiled in ready}
    method = find_method(asked["method"])
    for then in verdicts:
        setting = Setting(
            ablation=then.ablation,
            criterion=then.criterion,  # type: ignore[arg-type]
            lengths=tuple(asked["lengths"]) if asked["lengths"] else None,
            score_bos=asked["score_bos"],
        )
        plan = Plan(
            settings=(setting,), method=method, method_name=then.method, seeds=(then.seed,), timeout=asked["timeout"],
            judge=Judge.of(asked.get("judge", "auto"), asked.get("select")),
        )  # fmt: skip
        yield then, next(judge(by_name[then.program], setting, (then.seed,), plan))


def same_verdict(then: Verdict, now: Verdict, elsewhere: bool) -> bool:
    """The edges found are equal, and all that follows from them; of a failure on another machine, the truth alone."""
    truth = (then.key, then.n_required, then.vacuous) == (now.key, now.n_required, now.vacuous)
    return truth and ((elsewhere and then.verdict != "HOLDS") or _found(then) == _found(now))


def _found(v: Verdict) -> tuple[Any, ...]:
    return v.verdict, v.found_sha, v.n_found, set(v.missing), set(v.extra)


def named(v: Verdict) -> str:
    return f"{v.program}, {v.ablation}, {v.criterion}, seed {v.seed}"


def outcome_of(v: Verdict) -> str:
    return f"{v.verdict} with {v.n_found} of {v.n_required} edges ({v.found_sha})"


GATE = RunKind(
    results=Results,
    name="the gate",
    command="gate",
    sources=lambda asked, library: sources_of(
        [entry.path for entry in library.chosen(asked["programs"])], find_method(asked["method"])
    ),
    again=again,
    same=same_verdict,
    named=named,
    outcome=lambda verdict, other: outcome_of(verdict),
)
