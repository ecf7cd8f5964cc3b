"""What the gate does: certify, then ask the method and grade its answers, here or in other processes.

Every truth is known before the method first runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, TypedDict

from edgeprune_core.task import Task
from tracrcheck.compiler.compile import Compiled, compile_program
from tracrcheck.grading.by_name import method_or_name
from tracrcheck.grading.halves import compared, halves_of
from tracrcheck.grading.judge import AUTO, Judge, judged
from tracrcheck.grading.method_process import Examinee, examinee_of
from tracrcheck.grading.run_method import Answer
from tracrcheck.grading.verdict import Halves, Key, Verdict
from tracrcheck.rasp.domain import WHOLE
from tracrcheck.rasp.library import load_file
from tracrcheck.records.sources import sources_of
from tracrcheck.runs import base
from tracrcheck.truth.cache import cached, certificate_of, from_record, to_record
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

# Seconds one run of a method may take. The slowest of ours takes minutes on the largest programs and two cores.
TIMEOUT = 1800.0
# A program and a setting.
Judged = tuple[str, Setting]


class AlwaysAsked(TypedDict):
    programs: list[str]
    method: str
    ablations: list[str]
    criteria: list[str]
    lengths: list[int] | None
    score_bos: bool
    seeds: list[int]
    timeout: float | None


class Asked(AlwaysAsked, total=False):
    """memory, in_process, inputs (null: all), robust, halves: where they were given. judge, select (a selector, by its name): older files do not have them."""

    judge: str
    select: str | None
    memory: int
    in_process: bool
    inputs: int | None
    robust: bool
    halves: bool


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One method, with the settings and seeds under which it runs on every program.

    halves: it also runs on two halves of the inputs.
    method: its name, or the object. memory_mib: limit on what the method's process may allocate. in_process: the method runs
    in the process that judges it, for debugging. workers: other processes need `paths`, the file of each program, and find
    the method by its name.
    """

    settings: tuple[Setting, ...]
    method: str | Callable[[Task], Any] | Examinee
    method_name: str
    seeds: tuple[int, ...] = (0,)
    judge: Judge = AUTO
    halves: bool = False
    timeout: float | None = TIMEOUT
    memory_mib: int | None = None
    in_process: bool = False
    workers: base.Workers = field(default_factory=base.Workers)
    paths: Mapping[str, Path] = field(default_factory=dict)

    @contextmanager
    def asked(self) -> Iterator[Examinee]:
        """The method. Ends its process, unless the plan was given one."""
        examinee = examinee_of(
            self.method, name=self.method_name, in_process=self.in_process, memory_mib=self.memory_mib
        )
        try:
            yield examinee
        finally:
            if examinee is not self.method:
                examinee.end()

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
        if self.memory_mib is not None:
            asked["memory"] = self.memory_mib
        if self.in_process:
            asked["in_process"] = True
        if self.settings and self.settings[0].inputs != WHOLE:
            asked["inputs"] = self.settings[0].inputs
        if any(s.robust for s in self.settings):
            asked["robust"] = True
        if self.halves:
            asked["halves"] = True
        return base.header(
            "gate", command, asked, sources_of(self.paths.values(), method_or_name(self.method_name))
        )


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What one process does at a time: some seeds of one program in one setting. truth: the certificate, as a record."""

    program: str
    path: Path
    setting: Setting
    seeds: tuple[int, ...] = ()
    truth: Mapping[str, Any] = field(default_factory=dict)


def gate(
    programs: Sequence[Compiled],
    plan: Plan,
    *,
    done: Collection[Key] = (),
    truths: Mapping[Judged, Certificate] = {},
) -> Iterator[Verdict]:
    """Verdicts but those that are `done`: in order with one job, as they are finished with several, or by a cluster.

    truths: those that are known already.
    """
    left = list(_left(programs, plan, done))
    known = dict(truths)
    for what, certificate in certify_all(programs, plan, done=done, known=known):
        known[what] = certificate
    with plan.asked() as examinee:
        if plan.workers.here:
            for compiled, setting, seeds in left:
                yield from judge(compiled, setting, seeds, plan, examinee, known[_judged(compiled, setting)])
            return
        units = [
            _unit(compiled, setting, plan, seeds=part, truth=to_record(known[_judged(compiled, setting)]))
            for compiled, setting, seeds in left
            for part in ([seeds] if examinee.many else [(seed,) for seed in seeds])
        ]
    yield from _swept({compiled.program.name: compiled for compiled in programs}, units, plan)


def certify_all(
    programs: Sequence[Compiled],
    plan: Plan,
    *,
    done: Collection[Key] = (),
    known: Mapping[Judged, Certificate] = {},
) -> Iterator[tuple[Judged, Certificate]]:
    """The truth of everything that is left and not known. With several jobs, or a cluster, other processes prove it."""
    by_name = {compiled.program.name: compiled for compiled in programs}
    units: list[Unit] = []
    for compiled, setting, _ in _left(programs, plan, done):
        what = _judged(compiled, setting)
        if what in known:
            continue
        task = task_of(compiled, setting)
        here = plan.workers.here or compiled.truths is not None
        found = certificate_of(compiled, setting, task=task) if here else cached(task, setting)
        if found is None:
            units.append(_unit(compiled, setting, plan))
        else:
            yield what, found

    def lost(unit: Unit, why: str) -> dict[str, Any]:
        return to_record(certificate_of(by_name[unit.program], unit.setting))

    if not units:
        return
    files = {unit.path for unit in units}
    for record in plan.workers.each(_certify_unit, units, lost=lost, files=files):
        found = from_record(record, by_name[record["program"]].graph)
        yield (found.program, found.setting), found


def _unit(compiled: Compiled, setting: Setting, plan: Plan, **rest: Any) -> Unit:
    name = compiled.program.name
    return Unit(program=name, path=plan.paths[name].resolve(), setting=setting, **rest)


def _judged(compiled: Compiled, setting: Setting) -> Judged:
    return compiled.program.name, setting


def _swept(by_name: Mapping[str, Compiled], units: Sequence[Unit], plan: Plan) -> Iterator[Verdict]:
    """A unit of several seeds that is given up is taken apart: each has its own reason, as in `ask_all`."""
    work = partial(
        _judge_unit,
        method_name=plan.method_name,
        timeout=plan.timeout,
        how=plan.judge,
        memory_mib=plan.memory_mib,
        in_process=plan.in_process,
        halves=plan.halves,
    )
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


def judge(
    compiled: Compiled,
    setting: Setting,
    seeds: Sequence[int],
    plan: Plan,
    examinee: Examinee,
    truth: Certificate,
) -> Iterator[Verdict]:
    """The verdicts of one program in one setting, in the order of the seeds."""
    task = task_of(compiled, setting)
    for part in [seeds] if examinee.many else [(seed,) for seed in seeds]:
        answers = examinee.ask_all(task, seeds=part, timeout=plan.timeout)
        stable = _on_halves(compiled, task, truth, plan, part, examinee)
        for seed, answer, halves in zip(part, answers, stable, strict=True):
            yield replace(_verdict(compiled, task, truth, answer, plan, seed), halves=halves)


def _on_halves(
    compiled: Compiled, task: Task, truth: Certificate, plan: Plan, seeds: Sequence[int], examinee: Examinee
) -> Sequence[Halves | None]:
    parts = halves_of(task) if plan.halves else None
    if parts is None:
        return [None] * len(seeds)
    answers = [examinee.ask_all(half, seeds=seeds, timeout=plan.timeout) for half in parts]
    return compared(answers, lambda a, seed: _verdict(compiled, task, truth, a, plan, seed), seeds)


def _verdict(
    compiled: Compiled, task: Task, truth: Certificate, answer: Answer, plan: Plan, seed: int
) -> Verdict:
    return judged(compiled, task, truth, answer, method=plan.method_name, seed=seed, judge=plan.judge)


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


def _judge_unit(
    unit: Unit,
    *,
    method_name: str,
    timeout: float | None,
    how: Judge,
    memory_mib: int | None,
    in_process: bool,
    halves: bool,
) -> list[Verdict]:
    examinee = _examinee(method_name, in_process=in_process, memory_mib=memory_mib)
    plan = Plan(
        settings=(unit.setting,),
        method=examinee,
        method_name=method_name,
        timeout=timeout,
        judge=how,
        halves=halves,
    )
    compiled = _compiled(unit.path)
    truth = from_record(unit.truth, compiled.graph)
    return list(judge(compiled, unit.setting, unit.seeds, plan, examinee, truth))


def _certify_unit(unit: Unit) -> dict[str, Any]:
    return to_record(certificate_of(_compiled(unit.path), unit.setting))


@cache
def _compiled(path: Path) -> Compiled:
    """Once a process; it was compared with RASP before the first unit was sent out."""
    return compile_program(load_file(path).program)


_examinee = cache(examinee_of)


def _given_up(compiled: Compiled, unit: Unit, why: str, plan: Plan) -> list[Verdict]:
    task = task_of(compiled, unit.setting)
    truth = from_record(unit.truth, task.graph)
    answer = Answer(fault="raised", detail=why)
    return [_verdict(compiled, task, truth, answer, plan, seed) for seed in unit.seeds]
