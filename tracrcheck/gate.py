"""The main job: compile, compare with RASP, certify, ask the method, grade; one verdict at a time."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edgeprune_core.errors import CheckError
from edgeprune_core.task import Task
from tracrcheck.compile import Compiled, compile_program
from tracrcheck.exam import Setting, task_of
from tracrcheck.examinee import ask
from tracrcheck.faults import check_compiled
from tracrcheck.grade import grade
from tracrcheck.library import Entry
from tracrcheck.store import certificate_for
from tracrcheck.verdict import Summary, Verdict, exit_code

# Seconds one run of a method may take. The slowest of ours takes minutes on the largest programs and two cores.
TIMEOUT = 1800.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked of every program: settings x seeds, of one method."""

    settings: tuple[Setting, ...]
    method: Callable[[Task], Any]
    method_name: str
    seeds: tuple[int, ...] = (0,)
    timeout: float | None = TIMEOUT

    @property
    def runs_per_program(self) -> int:
        return len(self.settings) * len(self.seeds)


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


def gate(programs: Sequence[Compiled], plan: Plan) -> Iterator[Verdict]:
    """Verdicts, as they come."""
    for compiled in programs:
        for setting in plan.settings:
            task = task_of(compiled, setting)
            certificate = certificate_for(task, setting)
            for seed in plan.seeds:
                answer = ask(plan.method, task, seed=seed, timeout=plan.timeout)
                yield grade(compiled, task, certificate, answer, method=plan.method_name, seed=seed)


class Run:
    """The verdicts so far, and what they come to."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.verdicts: list[Verdict] = []
        self.interrupted = False

    def add(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)

    @functools.cached_property
    def summary(self) -> Summary:
        """Read once, at the end."""
        return Summary.of(self.verdicts, time.monotonic() - self.started)

    @property
    def errors(self) -> list[CheckError]:
        """Edges that the graph does not have: a verdict, and a wrong call as well."""
        return [
            CheckError(
                "TC114",
                f"the method '{v.method}' returns edges that '{v.program}' does not have",
                where=f"{v.ablation}, seed {v.seed}:",
                got=v.detail,
                wanted="edges of `task.graph`",
                do="return edges of `task.graph.edges`, or their text",
            )
            for v in self.verdicts
            if v.reason == "foreign_edges"
        ]

    def exit_code(self, *, allow_unknown: bool = False) -> int:
        return 130 if self.interrupted else exit_code(self.verdicts, allow_unknown=allow_unknown)
