"""The required circuit of a setting, and how far outputs move without each of its edges: what a drawing shows.

The effect of an edge is measured: the required circuit is run without it, and its outputs are compared with the
model's. This decides nothing: the certificate has proved which edges are required.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from edgeprune_core.errors import CheckError
from edgeprune_core.graph import Edge
from edgeprune_core.task import Task
from tracrcheck.compiler.compile import Compiled, compile_program
from tracrcheck.grading.verdict import Verdict
from tracrcheck.rasp.library import Entry, Library
from tracrcheck.truth.cache import certificate_of
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

# Items on which effects are measured, evenly spaced over the list: a drawing needs two digits, not a proof.
MOST_ITEMS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """The effect of an edge. moved: the most that outputs move without it, in units of their range. share: of items
    whose outputs move beyond the tolerance. n_items: measured, of `n_of`."""

    moved: float
    share: float
    n_items: int
    n_of: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """The required circuit of a program in one setting, with the effect of each edge."""

    compiled: Compiled
    setting: Setting
    certificate: Certificate
    weights: Mapping[Edge, Weight]
    meaning: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.compiled.program.name, self.setting.ablation, self.setting.criterion


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A program that cannot be drawn, and why."""

    program: str
    why: str


def evidence_of(compiled: Compiled, setting: Setting, *, meaning: str = "") -> Evidence:
    """Uses the cached certificate if there is one. Errors: TC112."""
    task = task_of(compiled, setting)
    certificate = certificate_of(compiled, setting, task=task)
    weights = weights_of(task, certificate)
    return Evidence(
        compiled=compiled, setting=setting, certificate=certificate, weights=weights, meaning=meaning
    )


def weights_of(task: Task, certificate: Certificate, *, most_items: int = MOST_ITEMS) -> dict[Edge, Weight]:
    edges = list(certificate.required)
    if not edges:
        return {}
    n = len(task.items)
    items = task.items if n <= most_items else task.items[torch.linspace(0, n - 1, most_items).long()]
    off = task.deviations([certificate.required.without(edge) for edge in edges], items)
    return {
        edge: Weight(
            moved=float(row.max()),
            share=float((row > task.outcome.limit).double().mean()),
            n_items=len(items),
            n_of=n,
        )
        for edge, row in zip(edges, off, strict=True)
    }


def of_compiled(
    programs: Iterable[Compiled],
    settings: Sequence[Setting],
    verdicts: Iterable[Verdict],
    *,
    meanings: Mapping[str, str],
) -> Iterator[Evidence]:
    """For each of these programs, in each setting with a verdict. meanings: program -> what it computes."""
    judged = settings_judged(verdicts)
    for compiled in programs:
        name = compiled.program.name
        for setting in settings:
            if (setting.ablation, setting.criterion) in judged.get(name, ()):
                yield evidence_of(compiled, setting, meaning=meanings.get(name, ""))


def settings_judged(verdicts: Iterable[Verdict]) -> dict[str, list[tuple[str, str]]]:
    """program -> (ablation, criterion) of every setting with a verdict."""
    found: dict[str, dict[tuple[str, str], None]] = {}
    for v in verdicts:
        found.setdefault(v.program, {})[v.ablation, v.criterion] = None
    return {program: list(settings) for program, settings in found.items()}


def collect(
    judged: Mapping[str, Sequence[tuple[str, str]]],
    library: Library,
    asked: Mapping[str, Any],
) -> Iterator[Evidence | Absent]:
    """For each program and setting with a verdict. A program that is missing or not usable yields `Absent`.

    asked: the rest of the setting, as a file says it.
    """
    for program, settings in judged.items():
        try:
            entry = library.load(program)
            yield from _of_program(entry, settings, asked)
        except CheckError as error:
            yield Absent(program=program, why=f"{error.code} {error.what}")


def _of_program(
    entry: Entry, settings: Sequence[tuple[str, str]], asked: Mapping[str, Any]
) -> Iterator[Evidence]:
    compiled, meaning = compile_program(entry.program), entry.meaning
    for ablation, criterion in settings:
        setting = Setting.of_record(asked, ablation=ablation, criterion=criterion)
        yield evidence_of(compiled, setting, meaning=meaning)
