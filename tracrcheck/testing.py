"""For hand-written tests: a program in a setting, whose circuit a method must find.

    from tracrcheck.testing import cases

    @cases("reverse", "hist", ablations=["zero", "resample"])
    def test_my_pruner(case):
        case.assert_exact(my_pruner(case.task))

A circuit is anything that a method may return: a `Discovery`, a `Circuit`, or edges such as `"tok -> a3.h0.v"`. A
program is given by name or by the path of its file. Its certificates are cached.
"""

from __future__ import annotations

import copy
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from edgeprune_core.task import Task
    from tracrcheck.compiler.compile import Compiled
    from tracrcheck.grading.run_method import Answer
    from tracrcheck.grading.verdict import Verdict
    from tracrcheck.truth.certificate import Certificate
    from tracrcheck.truth.setting import Setting


@dataclass(frozen=True)
class Case:
    """A program in a setting. It is compiled when it is first used."""

    program: str
    ablation: str = "zero"
    criterion: Literal["value", "decoded"] = "value"
    lengths: tuple[int, int] | None = None
    score_bos: bool = False
    seed: int = 0
    robust: bool = False

    def __post_init__(self) -> None:
        """Accepts any pair as lengths, and refuses anything else at once."""
        if self.lengths is None:
            return
        try:
            low, high = self.lengths
        except (TypeError, ValueError):
            raise TypeError(
                f"lengths are a pair, shortest and longest, or None; got {self.lengths!r}"
            ) from None
        object.__setattr__(self, "lengths", (low, high))

    @property
    def task(self) -> Task:
        """The task for a method: a new copy at each access. What the method does to this process, it does to its judge."""
        from tracrcheck.processes.clean import foreign_code_runs_here

        exam = self._exam  # the truth is known before a method runs
        foreign_code_runs_here()
        return copy.deepcopy(replace(exam.task, seed=self.seed))

    def verdict(self, circuit: Any) -> Verdict:
        """The verdict on a circuit."""
        from tracrcheck.grading.run_method import read_answer

        return self._judged(read_answer(circuit, self._exam.task.graph))

    def _judged(self, answer: Answer) -> Verdict:
        from tracrcheck.grading.judge import judged

        exam = self._exam
        return judged(exam.compiled, exam.task, exam.certificate, answer, method="", seed=self.seed)

    def assert_exact(self, circuit: Any) -> None:
        """Asserts that the circuit is a proved smallest one; UNKNOWN fails too."""
        __tracebackhide__ = True
        verdict = self.verdict(circuit)
        if verdict.verdict != "HOLDS":
            raise AssertionError(self._failure_text(verdict))

    def assert_faithful(self, circuit: Any) -> None:
        """Asserts that the circuit reproduces the model's outputs on all inputs, whatever its size."""
        __tracebackhide__ = True
        from edgeprune_core.circuit import Circuit
        from tracrcheck.grading.grade import witness_of
        from tracrcheck.grading.run_method import read_answer

        exam = self._exam
        answer = read_answer(circuit, exam.task.graph)
        found = answer.circuit if answer.circuit is not None else Circuit.empty(exam.task.graph)
        if answer.fault is None and exam.task.accepts(found):
            return
        verdict = self._judged(answer)
        if answer.fault is None:
            witness = witness_of(exam.compiled, exam.task, found)
            verdict = replace(verdict, verdict="FAILS", reason="unfaithful", witness=witness)
        raise AssertionError(self._failure_text(verdict))

    @property
    def _exam(self) -> _Exam:
        from tracrcheck.truth.setting import Setting

        setting = Setting(
            ablation=self.ablation,
            criterion=self.criterion,
            lengths=self.lengths,
            score_bos=self.score_bos,
            robust=self.robust,
        )
        return _exam(self.program, setting, str(Path.cwd()))

    def _failure_text(self, verdict: Verdict) -> str:
        from tracrcheck.reports.grade import failure_block

        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        return failure_block(
            verdict, self._exam.compiled, replay=shlex.join(["pytest", test] if test else ["pytest"])
        )


def cases(
    *programs: str, ablations: str | Sequence[str] = ("zero",), argument: str = "case", **setting: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that runs the test for every program under every ablation. `setting`: other fields of `Case`.

    Without programs: all of the user's own, or all shipped ones if there are none.
    """
    import pytest

    from tracrcheck.rasp.library import Library

    ablations = (ablations,) if isinstance(ablations, str) else ablations
    names = programs or [entry.program.name for entry in Library.here().chosen([])]
    return pytest.mark.parametrize(
        argument,
        [
            pytest.param(
                Case(name, ablation=ablation, **setting),
                id=f"{Path(name).stem if name.endswith('.py') else name}-{ablation}",
                marks=pytest.mark.tracrcheck,
            )
            for name in names
            for ablation in ablations
        ],
    )


@dataclass(frozen=True)
class _Exam:
    """The grader's side, which no method sees."""

    compiled: Compiled
    task: Task
    certificate: Certificate


@cache
def _compiled(program: str, folder: str) -> Compiled:
    from tracrcheck.rasp.library import Library
    from tracrcheck.truth.program_check import prepare

    ready, wrong = prepare([Library.here().load(program)])
    if wrong:
        raise wrong[0]
    return ready[0]


@cache
def _exam(program: str, setting: Setting, folder: str) -> _Exam:
    """folder: the place where names and paths are looked up."""
    from tracrcheck.truth.cache import certificate_of
    from tracrcheck.truth.task import task_of

    compiled = _compiled(program, folder)
    task = task_of(compiled, setting)
    return _Exam(compiled, task, certificate_of(compiled, setting, task=task))
