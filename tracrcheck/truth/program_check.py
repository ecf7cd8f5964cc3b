"""Checks one program: all problems at once, or its certificates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from edgeprune_core.errors import CheckError
from tracrcheck.compiler.author_errors import author_errors
from tracrcheck.compiler.compile import Compiled, compile_program
from tracrcheck.compiler.cross_check import compare_routes
from tracrcheck.compiler.equivalence import Faithfulness, check_compiled, compare
from tracrcheck.rasp.domain import WHOLE
from tracrcheck.rasp.library import Entry
from tracrcheck.truth.cache import certificate_of
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.cost import estimate
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """The result. compiled: None if Tracr refuses the program. certificates: present if there are no problems."""

    compiled: Compiled | None
    problems: tuple[CheckError, ...]
    faithfulness: Faithfulness | None = None
    certificates: tuple[Certificate, ...] = ()
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        return not self.problems

    @property
    def proved(self) -> bool:
        return self.sound and all(c.usable for c in self.certificates)


def _silently(settings: Sequence[Setting], total: int, label: str) -> Iterable[Setting]:
    return settings


def check(
    entry: Entry,
    settings: Sequence[Setting],
    *,
    before: Callable[[Compiled, float | None], None] = lambda compiled, seconds: None,
    progress: Callable[[Sequence[Setting], int, str], Iterable[Setting]] = _silently,
) -> Checkup:
    """Compiles by both routes, compares all results on the whole domain, and certifies.

    A hand-made model has one route only: it has no JAX model. before: called with an estimate of the seconds that
    certifying takes, or None where they are few. progress: wraps the settings as they are certified.
    """
    started = time.monotonic()
    misused = author_errors(entry.program)
    try:
        if misused and misused[-1].code == "TC106":  # nothing can be compared with it
            raise misused.pop()
        compiled = compile_program(entry.program, settings[0].inputs if settings else WHOLE)
    except CheckError as error:
        return Checkup(
            compiled=None, problems=(*misused, error.at(str(entry.path))), seconds=time.monotonic() - started
        )
    before(compiled, estimate(compiled, settings))
    faithfulness, problems = compare(compiled)
    problems = [*misused, *problems]
    if entry.program.by_hand is None:
        problems += compare_routes(compiled)
    certificates: tuple[Certificate, ...] = ()
    if not problems:
        certificates = tuple(
            certificate_of(compiled, setting) for setting in progress(settings, len(settings), "certify")
        )
    return Checkup(
        compiled=compiled,
        problems=tuple(problem.at(str(entry.path)) for problem in problems),
        faithfulness=faithfulness,
        certificates=certificates,
        seconds=time.monotonic() - started,
    )


def prepare(
    entries: Sequence[Entry], settings: Sequence[Setting] = ()
) -> tuple[list[Compiled], list[CheckError]]:
    """Compiled programs, each compared with RASP, and what is wrong with the others."""
    ready, wrong = [], []
    for entry in entries:
        try:
            if meant := author_errors(entry.program):
                raise meant[0]
            compiled = compile_program(entry.program, settings[0].inputs if settings else WHOLE)
            check_compiled(compiled)
            for setting in settings[:1]:
                if setting.lengths is not None:
                    task_of(compiled, setting)  # TC112 now, not in the middle of the run
        except CheckError as error:
            wrong.append(error.at(str(entry.path)))
        else:
            ready.append(compiled)
    return ready, wrong
