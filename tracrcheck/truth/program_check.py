"""Checks one program: all problems at once, or its certificates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from edgeprune_core.errors import CheckError
from tracrcheck.compiler.compile import Compiled, compile_program
from tracrcheck.compiler.cross_check import compare_routes
from tracrcheck.compiler.equivalence import Faithfulness, check_compiled, compare
from tracrcheck.compiler.truthiness import boolean_uses
from tracrcheck.rasp.library import Entry
from tracrcheck.truth.cache import certificate_of
from tracrcheck.truth.certificate import Certificate
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


def check(entry: Entry, settings: Sequence[Setting]) -> Checkup:
    """Compiles by both routes, compares all results on the whole domain, and certifies.

    A hand-made model has one route only: it has no JAX model.
    """
    started = time.monotonic()
    misused = boolean_uses(entry.program)
    try:
        compiled = compile_program(entry.program)
    except CheckError as error:
        return Checkup(
            compiled=None, problems=(*misused, error.at(str(entry.path))), seconds=time.monotonic() - started
        )
    faithfulness, problems = compare(compiled)
    problems = [*misused, *problems]
    if entry.program.by_hand is None:
        problems += compare_routes(compiled)
    certificates: tuple[Certificate, ...] = ()
    if not problems:
        certificates = tuple(certificate_of(compiled, setting) for setting in settings)
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
            compiled = compile_program(entry.program)
            check_compiled(compiled)
            for setting in settings[:1]:
                if setting.lengths is not None:
                    task_of(compiled, setting)  # TC112 now, not in the middle of the run
        except CheckError as error:
            wrong.append(error.at(str(entry.path)))
        else:
            ready.append(compiled)
    return ready, wrong
