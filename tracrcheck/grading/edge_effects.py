"""What a drawing shows beside a verdict: the truth of a setting, and what each of its edges weighs.

The weight of a required edge is measured: the required circuit is run without that edge, and the outputs are compared
with the model's. Nothing is decided here: the certificate has proved what is required.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from edgeprune_core.errors import CheckError
from edgeprune_core.graph import Edge
from edgeprune_core.task import Task
from tracrcheck.compiler.compile import Compiled, compile_program
from tracrcheck.grading.verdict import Verdict
from tracrcheck.rasp.library import Entry, Library
from tracrcheck.truth.cache import certificate_for
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.setting import Setting, task_of

# Items of a list that an edge is weighed on, spread evenly over it: a drawing needs two digits, not a proof.
MOST_ITEMS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """moved: how far the outputs move at most without the edge, in units of their range. share: of the items, those
    whose outputs move beyond the tolerance. n_items: looked at, of `n_of`."""

    moved: float
    share: float
    n_items: int
    n_of: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """The truth of one program in one setting, with the weight of each required edge."""

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
    """The certificate is taken from the cache where it is there. Errors: TC112."""
    task = task_of(compiled, setting)
    certificate = certificate_for(task, setting)
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
    """Of each program at hand in each setting that has a verdict. meanings: program -> what it computes."""
    judged = settings_judged(verdicts)
    for compiled in programs:
        name = compiled.program.name
        for setting in settings:
            if (setting.ablation, setting.criterion) in judged.get(name, ()):
                yield evidence_of(compiled, setting, meaning=meanings.get(name, ""))


def settings_judged(verdicts: Iterable[Verdict]) -> dict[str, list[tuple[str, str]]]:
    """program -> (ablation, criterion) of every setting that has a verdict."""
    found: dict[str, dict[tuple[str, str], None]] = {}
    for v in verdicts:
        found.setdefault(v.program, {})[v.ablation, v.criterion] = None
    return {program: list(settings) for program, settings in found.items()}


def collect(
    judged: Mapping[str, Sequence[tuple[str, str]]],
    library: Library,
    *,
    lengths: tuple[int, int] | None,
    score_bos: bool,
) -> Iterator[Evidence | Absent]:
    """Of each program and setting that was judged. A program that is not there, or not usable, is told and passed over."""
    for program, settings in judged.items():
        try:
            entry = library.load(program)
            yield from _of_program(entry, settings, lengths=lengths, score_bos=score_bos)
        except CheckError as error:
            yield Absent(program=program, why=f"{error.code} {error.what}")


def _of_program(
    entry: Entry,
    settings: Sequence[tuple[str, str]],
    *,
    lengths: tuple[int, int] | None,
    score_bos: bool,
) -> Iterator[Evidence]:
    compiled, meaning = compile_program(entry.program), entry.meaning
    for ablation, criterion in settings:
        setting = Setting(
            ablation=ablation,
            criterion="decoded" if criterion == "decoded" else "value",
            lengths=lengths,
            score_bos=score_bos,
        )
        yield evidence_of(compiled, setting, meaning=meaning)
