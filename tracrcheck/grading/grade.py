"""Answer + Certificate -> Verdict. Here the method's answer first meets the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import decode
from edgeprune_core.mask import to_mask
from edgeprune_core.task import Task
from tracrcheck.compiler.compile import Compiled
from tracrcheck.grading.run_method import Answer
from tracrcheck.grading.score_metrics import Ranking, rank
from tracrcheck.grading.verdict import Verdict, Witness, Word, edges_sha
from tracrcheck.program import BOS
from tracrcheck.truth.certificate import Break, Certificate
from tracrcheck.truth.robust import probe, shrunk

FAULTY = "fault of the certificate: "


@dataclass(frozen=True, kw_only=True)
class _Judgement:
    verdict: Word
    reason: str | None
    show: bool = False  # look for a witness
    broken: Break | None = None


def grade(
    compiled: Compiled, task: Task, certificate: Certificate, answer: Answer, *, method: str, seed: int
) -> Verdict:
    """The verdict on one answer. `task` is the grader's own copy, which no method has seen."""
    found = Circuit.empty(task.graph) if answer.circuit is None else answer.circuit
    judged = _judge(task, certificate, answer, found)
    nearest = found if judged.verdict == "HOLDS" else nearest_to(certificate, found)
    verdict = replace(
        circuit_verdict(certificate, answer, nearest, method=method, seed=seed),
        verdict=judged.verdict,
        reason=judged.reason,
        witness=witness_of(compiled, task, found) if judged.show else None,
    )
    return verdict if judged.broken is None else not_robust(compiled, task, verdict, found, judged.broken)


def not_robust(compiled: Compiled, task: Task, verdict: Verdict, found: Circuit, broken: Break) -> Verdict:
    """The verdict with the subset of the other edges that shows it, and the outputs there."""
    least = shrunk(task, broken, found)
    kept = ", ".join((least.kept - found).texts)
    witness = witness_of(compiled, task, least.kept)
    detail = f"wrong if these are kept too, and the rest is cut: {kept}"
    return replace(verdict, witness=witness, detail="; ".join(filter(None, (verdict.detail, detail))))


def circuit_verdict(
    certificate: Certificate, answer: Answer, nearest: Circuit, *, method: str, seed: int
) -> Verdict:
    """A verdict with all but the word: how the answer differs from `nearest`, a smallest circuit."""
    found = Circuit.empty(nearest.graph) if answer.circuit is None else answer.circuit
    return Verdict(
        program=certificate.program,
        ablation=certificate.setting.ablation,
        criterion=certificate.setting.criterion,
        method=method,
        seed=seed,
        verdict="UNKNOWN",
        missing=tuple((nearest - found).texts),
        extra=(*(found - nearest).texts, *answer.foreign),
        n_required=len(certificate.required),
        n_found=len(found) + len(answer.foreign),
        found_sha=edges_sha([*found.texts, *answer.foreign]),
        vacuous=certificate.vacuous,
        sampled=certificate.sample,
        seconds=answer.seconds,
        ranking=_ranking(certificate, answer, found, nearest),
        selector=answer.selector,
        detail=answer.detail,
    )


def known_circuits(certificate: Certificate) -> list[Circuit]:
    """The smallest circuits that the certificate knows."""
    return [certificate.required, *([certificate.other] if certificate.other is not None else [])]


def nearest_to(certificate: Certificate, found: Circuit) -> Circuit:
    """The known smallest circuit that differs from `found` in the fewest edges."""
    return min(known_circuits(certificate), key=lambda c: len(c.edges ^ found.edges))


def _ranking(certificate: Certificate, answer: Answer, found: Circuit, truth: Circuit) -> Ranking | None:
    """How the scores rank the circuit that `missing` and `extra` refer to; None if nothing is proved."""
    if answer.scores is None or not certificate.usable:
        return None
    kept, right, *others = (
        [edge in circuit for edge in found.graph.edges]
        for circuit in (found, truth, *known_circuits(certificate))
    )
    return rank(answer.scores.tolist(), kept, right, others=others)


def _judge(task: Task, certificate: Certificate, answer: Answer, found: Circuit) -> _Judgement:
    if answer.fault:
        return _Judgement(verdict="FAILS", reason=answer.fault)
    if not certificate.usable:
        return _Judgement(verdict="UNKNOWN", reason=unproved(certificate))
    if found == certificate.required:
        return _Judgement(verdict="HOLDS", reason=None)
    if not task.accepts(found):
        return _Judgement(verdict="FAILS", reason="unfaithful", show=True)
    if certificate.setting.robust:
        result = probe(task, found, certificate.permitted)
        if result.found is not None:
            return _Judgement(verdict="FAILS", reason="not_robust", broken=result.found)
        if result.tried is not None and len(found) <= len(certificate.required):
            return _Judgement(verdict="UNKNOWN", reason=only_tried(result.tried))
    return _of_faithful(certificate, len(found))


def only_tried(n: int) -> str:
    """Why it is not known that a faithful circuit is robust."""
    return f"robust is not proved of this circuit: {n:,} circuits that contain it were run, and none is wrong"


def unproved(certificate: Certificate) -> str:
    """Why a certificate does not prove enough for a verdict."""
    lost = next(p for p in ("sufficient", "minimal") if p not in certificate.proved)
    return f"{lost} is not proved: {certificate.unknown.get(lost, 'not decided')}"


def _of_faithful(certificate: Certificate, size: int) -> _Judgement:
    """The verdict on a faithful circuit other than `required`: right, too large, undecided, or it refutes the proof."""
    least = len(certificate.required)
    proved = certificate.proved
    if size < least:
        reason = f"{FAULTY}a faithful circuit has {size} edges where the certificate requires {least}"
        return _Judgement(verdict="UNKNOWN", reason=reason)
    if size > least:  # the required edges are a faithful circuit too
        return _Judgement(verdict="FAILS", reason="not_smallest")
    if "smallest" not in proved:
        reason = f"smallest is not proved, and this circuit is faithful: {certificate.unknown.get('smallest', 'not decided')}"
        return _Judgement(verdict="UNKNOWN", reason=reason)
    if "unique" in proved:
        reason = (
            f"{FAULTY}another circuit of {size} edges is faithful, where one was proved to be the only one"
        )
        return _Judgement(verdict="UNKNOWN", reason=reason)
    return _Judgement(verdict="HOLDS", reason=None)


# Witnesses ---------------------------------------------------------------------------------------------


def witness_of(compiled: Compiled, task: Task, circuit: Circuit) -> Witness | None:
    """The smallest item (fewest tokens, then first on the list) on which a circuit is unfaithful."""
    off = task.deviations(circuit)[0]
    bad = (off > task.outcome.limit).nonzero()[:, 0]
    if not len(bad):
        return None
    lengths = task.valid.sum(1)[task.items[bad, 0]]
    item = task.items[bad[lengths.argmin()]]
    return shown_on(compiled, task, circuit, item)


@torch.no_grad()
def shown_on(compiled: Compiled, task: Task, circuit: Circuit, item: torch.Tensor) -> Witness:
    """The circuit's and the model's outputs at the worst scored position of an item (clean, corrupted)."""
    clean, corrupted = item.tolist()
    mask = to_mask(circuit, dtype=task.model.dtype, device=task.model.device)
    got, want = task.outputs(mask, item[None])[0, 0], task.reference[clean]
    position = _worst(task, got, want, task.scored[clean])
    values = _values(compiled, want[position], got[position])
    return Witness(
        input=_tokens(compiled, task, clean),
        corruption=_tokens(compiled, task, corrupted) if task.ablation.paired else None,
        position=position,
        want=values[0],
        got=values[1],
    )


def _worst(task: Task, got: torch.Tensor, want: torch.Tensor, scored: torch.Tensor) -> int:
    off = torch.nan_to_num((got - want).abs().amax(-1), nan=math.inf)
    if task.outcome.by_decoding:
        off = (decode(got) != decode(want)).to(off.dtype)
    return int(torch.where(scored, off, -1.0).argmax())


def _values(compiled: Compiled, want: torch.Tensor, got: torch.Tensor) -> tuple[Any, Any]:
    """Numbers, or decoded values, or all coordinates if both decode to the same value."""
    if compiled.output_values is None:
        return _number(want[0]), _number(got[0])
    decoded = [compiled.output_values[int(decode(x))] for x in (want, got)]
    if decoded[0] != decoded[1] and not got.isnan().any():
        return decoded[0], decoded[1]
    return [_number(x) for x in want], [_number(x) for x in got]


def _number(x: torch.Tensor) -> float | None:
    """Rounded to six digits; None for NaN and infinity."""
    value = float(x)
    return float(f"{value:.6g}") + 0.0 if math.isfinite(value) else None


def _tokens(compiled: Compiled, task: Task, row: int) -> tuple[Any, ...]:
    names = {i: token for token, i in compiled.token_ids.items()}
    tokens = [names[i] for i in task.tokens[row][task.valid[row]].tolist()]
    return tuple(t for t in tokens if t != BOS)
