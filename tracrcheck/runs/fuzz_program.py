"""Examines a random program: draws, compiles and certifies it, runs a method, and grades its circuit and two trivial ones.

The result depends only on the seed, the number of the draw, the settings and the method, so programs can be examined in
any order, by several processes, in a run that is resumed. The method's own seed is the number of the draw. A row depends
on this file and what it imports (`ROOTS`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, partial
from typing import Any, TypedDict

from edgeprune_core.errors import CheckError
from edgeprune_core.methods.random_edges import RandomEdges
from edgeprune_core.task import Task
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import user_error
from tracrcheck.generator.accept import Rejected, compiled_of, name_of, numbered
from tracrcheck.generator.features import Features
from tracrcheck.grading.grade import grade
from tracrcheck.grading.method_process import Examinee, Method, examinee_of
from tracrcheck.grading.run_method import Answer, ask
from tracrcheck.grading.verdict import Verdict, Word
from tracrcheck.records.reading import plain
from tracrcheck.truth.cache import certificate_for
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

# For `sources`: the generator, the features, and what is judged here.
ROOTS = ("tracrcheck.runs.fuzz_program",)
TRIVIAL = ("permitted", "random")


class Trivial(TypedDict):
    """The verdicts of the trivial methods."""

    permitted: Word
    random: Word


# Of a verdict, what the run and the number of the draw say already.
IMPLIED = ("program", "method", "seed")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One program in one setting. verdict: with the method's error in `detail`; trivial: the words of two trivial methods."""

    number: int
    verdict: Verdict = field(metadata={"flat": True})
    proved: tuple[str, ...]
    n_permitted: int
    certify_seconds: float
    trivial: Trivial

    @property
    def ablation(self) -> str:
        return self.verdict.ablation

    @property
    def holds(self) -> bool:
        return self.verdict.verdict == "HOLDS"

    @property
    def counts(self) -> bool:
        """Whether the output can change at all."""
        return not self.verdict.vacuous

    def to_json(self) -> dict[str, Any]:
        verdict = {k: v for k, v in self.verdict.to_json().items() if k not in IMPLIED}
        rest = {
            field.name: plain(getattr(self, field.name)) for field in fields(self) if field.name != "verdict"
        }
        return {**rest, **verdict, "detail": self.verdict.detail}


@dataclass(frozen=True, kw_only=True)
class Examined:
    """One program with all its rows."""

    program: Features
    rows: tuple[Row, ...]

    @property
    def seconds(self) -> float:
        """That certifying took, where it was done, and the method."""
        return sum(row.verdict.seconds + row.certify_seconds for row in self.rows)


# One program ---------------------------------------------------------------------------------------------


def examine(
    seed: int,
    number: int,
    settings: Sequence[Setting],
    *,
    method: str,
    timeout: float,
    size: str = "small",
    memory_mib: int | None = None,
    in_process: bool = False,
    died: str | None = None,
) -> Examined:
    """The program of a draw. Whatever certifying or the method does, there is a row.

    memory_mib, in_process: as in `examinee_of`. died: why the method could not be run; it counts as one that raised.
    Errors: TC153.
    """
    recipe = numbered(seed, number, size)
    try:
        compiled = compiled_of(recipe, name_of(seed, number, size))
    except Rejected as error:
        raise user_error("TC153", where=f"--number {number}", got=error.reason) from error.error
    zero = Setting(ablation="zero")
    task = task_of(compiled, zero)
    asked = examinee(method, memory_mib=memory_mib, in_process=in_process)
    rest: dict[str, Any] = {"number": number, "name": method, "timeout": timeout, "died": died}
    return Examined(
        program=Features.of(number, recipe, task, certificate_for(task, zero).required),
        rows=tuple(judge(compiled, setting, asked, **rest) for setting in settings),
    )


@cache
def examinee(method: str, *, memory_mib: int | None = None, in_process: bool = False) -> Examinee:
    """One per method and process. Errors: TC113."""
    return examinee_of(method, memory_mib=memory_mib, in_process=in_process)


def judge(
    compiled: Compiled,
    setting: Setting,
    method: Examinee | Method,
    *,
    number: int,
    name: str,
    timeout: float,
    died: str | None = None,
) -> Row:
    """One setting: certifies, runs the method, grades. number: the seed of the method too. died: as in `examine`."""
    task = task_of(compiled, setting)
    try:
        certificate = certificate_for(task, setting)
    except CheckError as error:
        return _uncertified(task, setting, error, number=number, name=name)
    own = partial(grade, compiled, task, certificate, seed=number)
    asked: dict[str, Any] = {"seed": number, "timeout": timeout}
    if died is None:
        answer = examinee_of(method).ask(task, **asked)
    else:
        answer = Answer(fault="raised", detail=died)
    verdict = own(answer, method=name)
    return Row(
        number=number,
        verdict=replace(verdict, detail=verdict.detail or _unproved(certificate)),
        proved=certificate.proved,
        n_permitted=len(certificate.permitted),
        certify_seconds=round(certificate.seconds, 3),
        trivial={
            "permitted": own(Answer(circuit=certificate.permitted), method="permitted").verdict,
            "random": own(ask(RandomEdges(), task, **asked), method="random").verdict,
        },
    )


def _unproved(certificate: Certificate) -> str:
    return "; ".join(f"{name}: {why}" for name, why in certificate.unknown.items() if name == "smallest")


def _uncertified(task: Task, setting: Setting, error: CheckError, *, number: int, name: str) -> Row:
    """A row for a setting that cannot be certified at all: a fault of ours, which counts as a failure."""
    verdict = Verdict(
        program=task.name,
        ablation=setting.ablation,
        criterion=setting.criterion,
        method=name,
        seed=number,
        verdict="UNKNOWN",
        reason=f"{error.code} {error.what}",
        n_required=0,
        n_found=0,
        detail=str(error.got),
    )
    return Row(
        number=number,
        verdict=verdict,
        proved=(),
        n_permitted=0,
        certify_seconds=0.0,
        trivial={"permitted": "UNKNOWN", "random": "UNKNOWN"},
    )
