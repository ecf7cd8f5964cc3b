"""An imported circuit + Certificate -> Verdict.

At our own granularity it is graded like any method's answer. At a coarser one the required circuit is coarsened too:

    unfaithful, with all members of its edges                   FAILS, with the witness
    the coarsened truth, and faithful                           HOLDS
    faithful, and the coarsened truth is, and is smaller        FAILS: not smallest
    faithful otherwise                            UNKNOWN: what is smallest was proved of our edges, not of these

Coarsening can add edges that make the required circuit unfaithful; then nothing at that granularity is correct.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.task import Task
from tracrcheck.compiler.compile import Compiled
from tracrcheck.grading.grade import grade, known_circuits, not_robust, only_tried, unproved, witness_of
from tracrcheck.grading.run_method import Answer
from tracrcheck.grading.score_metrics import Ranking, rank
from tracrcheck.grading.verdict import Verdict, Word, edges_sha
from tracrcheck.importers import Imported, Rest, read_file
from tracrcheck.truth.cache import certificate_of
from tracrcheck.truth.certificate import Break, Certificate
from tracrcheck.truth.robust import probe
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of


def read_circuit(
    path: Path, compiled: Compiled, *, format: str, threshold: float | None, rest: Rest | None = None
) -> Imported:
    """Errors: those of `importers.read_file`."""
    return read_file(path, compiled.graph, format=format, threshold=threshold, rest=rest)


def verdicts_on(
    compiled: Compiled, settings: Sequence[Setting], imported: Imported, *, name: str
) -> list[Verdict]:
    """A verdict per setting. `name` appears in place of a method's."""
    found = []
    for setting in settings:
        task = task_of(compiled, setting)
        certificate = certificate_of(compiled, setting, task=task)
        found.append(grade_imported(compiled, task, certificate, imported, name=name))
    return found


def grade_imported(
    compiled: Compiled, task: Task, certificate: Certificate, imported: Imported, *, name: str
) -> Verdict:
    """The verdict on an imported circuit in the certificate's setting."""
    found = imported.granularity.expand(task.graph, imported.kept)
    if not imported.granularity.finest:
        return _coarse(compiled, task, certificate, imported, found, name)
    scores = None
    if imported.scores:
        scores = torch.tensor([imported.scores[str(edge)] for edge in task.graph.edges], dtype=torch.float64)
    answer = Answer(circuit=found, scores=scores, detail=_notes(imported))
    return grade(compiled, task, certificate, answer, method=name, seed=0)


def _notes(imported: Imported) -> str:
    return "; ".join((*imported.granularity.says(), *imported.notes))


def _coarse(
    compiled: Compiled, task: Task, certificate: Certificate, imported: Imported, found: Circuit, name: str
) -> Verdict:
    granularity, kept = imported.granularity, imported.kept
    truths = [granularity.coarsen(circuit) for circuit in known_circuits(certificate)]
    truth = min(truths, key=lambda edges: len(edges ^ kept))
    word, reason, broken = _judge(task, certificate, imported, found, truths)
    order = list(granularity.members(task.graph))
    verdict = Verdict(
        program=certificate.program,
        ablation=certificate.setting.ablation,
        criterion=certificate.setting.criterion,
        method=name,
        seed=0,
        verdict=word,
        reason=reason,
        missing=tuple(e for e in order if e in truth - kept),
        extra=tuple(e for e in order if e in kept - truth),
        n_required=len(truth),
        n_found=len(kept),
        found_sha=edges_sha(kept),
        vacuous=not truth,
        sampled=certificate.sample,
        witness=witness_of(compiled, task, found) if reason == "unfaithful" else None,
        ranking=_ranking(certificate, imported, truth, truths, order),
        detail="; ".join(part for part in (_notes(imported), _spoiled(reason, kept in truths)) if part),
    )
    return verdict if broken is None else not_robust(compiled, task, verdict, found, broken)


def _spoiled(reason: str | None, is_truth: bool) -> str:
    """Why a circuit fails that has no edge missing and none to spare."""
    if reason != "unfaithful" or not is_truth:
        return ""
    return "this is the coarsened truth, which is unfaithful with all members of its edges"


def _judge(
    task: Task, certificate: Certificate, imported: Imported, found: Circuit, truths: list[frozenset[str]]
) -> tuple[Word, str | None, Break | None]:
    if not certificate.usable:
        return "UNKNOWN", unproved(certificate), None
    if not task.accepts(found):
        return "FAILS", "unfaithful", None
    tried = None
    if certificate.setting.robust:
        result = probe(task, found, certificate.permitted)
        if result.found is not None:
            return "FAILS", "not_robust", result.found
        tried = result.tried
    word, reason = _of_faithful(task, imported, truths)
    if word == "HOLDS" and tried is not None and found != certificate.required:
        return "UNKNOWN", only_tried(tried), None
    return word, reason, None


def _of_faithful(task: Task, imported: Imported, truths: list[frozenset[str]]) -> tuple[Word, str | None]:
    if imported.kept in truths:
        return "HOLDS", None
    sound = [t for t in truths if task.accepts(imported.granularity.expand(task.graph, t))]
    if any(len(truth) < len(imported.kept) for truth in sound):
        return "FAILS", "not_smallest"
    if not sound:
        return "UNKNOWN", "this circuit is faithful, and no coarsened truth is, with all members of its edges"
    return "UNKNOWN", "this circuit is faithful, and what is smallest was proved of finer edges than its own"


def _ranking(
    certificate: Certificate, imported: Imported, truth: frozenset[str], truths: Any, order: list[str]
) -> Ranking | None:
    if not imported.scores or not certificate.usable:
        return None
    kept, right, *others = ([edge in edges for edge in order] for edges in (imported.kept, truth, *truths))
    return rank([imported.scores[edge] for edge in order], kept, right, others=others)
