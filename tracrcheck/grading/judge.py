"""Answer + Certificate -> Verdict, on what is judged: the circuit, the ranking by scores, or nodes.

    circuit   as `grade.py` says
    ranking   HOLDS if some threshold on the scores keeps exactly a smallest circuit. Edges with equal scores enter together,
              and no edge is dropped afterwards. Otherwise FAILS (`no_threshold`); `missing` and `extra` are then those of
              the threshold that comes nearest.
    nodes     the required edges as heads and MLPs, by the rules of coarser edges (`grade_imported.py`)

An answer of nodes is judged as such, one of scores alone by its ranking, and any other by its circuit, unless the call says
which (`--judge`). A selector (`--select`) makes a circuit of the scores first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from edgeprune_core.circuit import Circuit
from edgeprune_core.methods.selectors import Selector, selector_of
from edgeprune_core.task import Task
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import unknown_name
from tracrcheck.grading.grade import circuit_verdict, grade, known_circuits, nearest_to, witness_of
from tracrcheck.grading.grade_imported import grade_imported
from tracrcheck.grading.run_method import Answer
from tracrcheck.grading.score_metrics import tied
from tracrcheck.grading.verdict import Verdict
from tracrcheck.importers.base import Imported
from tracrcheck.importers.nodes import Nodes
from tracrcheck.truth.certificate import Certificate

JUDGES = ("auto", "circuit", "ranking")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """on: what is judged. select: what makes a circuit of the scores; None: the method's own circuit."""

    on: Literal["auto", "circuit", "ranking"] = "auto"
    select: Selector | None = None

    @classmethod
    def of(cls, on: str, select: str | None) -> Judge:
        """From the words of a command line. Errors: TC111, EP191."""
        if on not in JUDGES:
            raise unknown_name("TC111", on, JUDGES, where="--judge", kind="judge")
        return cls(on=on, select=None if select is None else selector_of(select, where="--select"))  # type: ignore[arg-type]


AUTO = Judge()


def judged(
    compiled: Compiled,
    task: Task,
    certificate: Certificate,
    answer: Answer,
    *,
    method: str,
    seed: int,
    judge: Judge = AUTO,
) -> Verdict:
    """`task` is the grader's own copy, which no method has seen."""
    if judge.select is not None:
        answer = _selected(answer, task, judge.select)
    if lack := _lacks(answer, judge):
        answer = replace(answer, fault="no_result", detail=lack)
    if answer.nodes is not None and answer.fault is None:
        imported = Imported(format="nodes", granularity=Nodes(), kept=frozenset(answer.nodes))
        verdict = grade_imported(compiled, task, certificate, imported, name=method)
        return replace(verdict, seed=seed, seconds=answer.seconds, judged="nodes")
    if answer.fault is None and (judge.on == "ranking" or answer.circuit is None):
        return _ranking(compiled, task, certificate, answer, method=method, seed=seed)
    return grade(compiled, task, certificate, answer, method=method, seed=seed)


def _selected(answer: Answer, task: Task, select: Selector) -> Answer:
    if answer.fault is not None or answer.scores is None:
        return answer
    return replace(answer, circuit=select(task, answer.scores), nodes=None, selector=select.name)


def _lacks(answer: Answer, judge: Judge) -> str | None:
    """What an answer lacks for what is judged, in words."""
    if answer.fault is not None:
        return None
    if answer.scores is None and (judge.on == "ranking" or judge.select is not None):
        return "it returned no scores of the edges"
    if answer.circuit is None and answer.nodes is None and judge.on == "circuit":
        return "it returned scores and no circuit: --select makes one of them"
    return None


# Rankings ----------------------------------------------------------------------------------------------


def _ranking(
    compiled: Compiled, task: Task, certificate: Certificate, answer: Answer, *, method: str, seed: int
) -> Verdict:
    assert answer.scores is not None
    scores = answer.scores.tolist()
    exact = _head_of_size(scores, task, len(certificate.required))
    if exact is not None or not certificate.usable:
        found = Circuit.empty(task.graph) if exact is None else exact
        verdict = grade(compiled, task, certificate, replace(answer, circuit=found), method=method, seed=seed)
        if verdict.verdict != "FAILS":
            return replace(verdict, judged="ranking")
    nearest = _nearest_head(scores, task, certificate)
    return replace(
        circuit_verdict(
            certificate,
            replace(answer, circuit=nearest),
            nearest_to(certificate, nearest),
            method=method,
            seed=seed,
        ),
        verdict="FAILS",
        reason="no_threshold",
        witness=witness_of(compiled, task, nearest),
        judged="ranking",
        detail=_why(scores, task, nearest_to(certificate, nearest)),
    )


def _heads(scores: list[float]) -> Iterator[list[int]]:
    """The places that each threshold keeps, fewest first: none, then one tie after the other."""
    kept: list[int] = []
    yield []
    for tie in tied(scores):
        kept.extend(tie)
        yield kept


def _head_of_size(scores: list[float], task: Task, n_edges: int) -> Circuit | None:
    for head in _heads(scores):
        if len(head) == n_edges:
            return _circuit(head, task)
    return None


def _nearest_head(scores: list[float], task: Task, certificate: Certificate) -> Circuit:
    """The threshold whose circuit differs in the fewest edges from a smallest one; the highest of several."""
    best: tuple[int, int] | None = None
    for truth in known_circuits(certificate):
        right = [edge in truth for edge in task.graph.edges]
        size = hits = 0
        for tie in [[], *tied(scores)]:
            size, hits = size + len(tie), hits + sum(right[i] for i in tie)
            differs = size + len(truth) - 2 * hits
            best = min(best or (differs, size), (differs, size))
    assert best is not None
    circuit = _head_of_size(scores, task, best[1])
    assert circuit is not None
    return circuit


def _circuit(places: list[int], task: Task) -> Circuit:
    return Circuit.of(task.graph, (task.graph.edges[i] for i in places))


def _why(scores: list[float], task: Task, truth: Circuit) -> str:
    """The required edge with the lowest score, and the edges in its way."""
    by_edge = dict(zip(task.graph.edges, scores, strict=True))
    lowest = min(truth, key=lambda edge: by_edge[edge])
    above = [edge for edge in task.graph.edges if edge not in truth and by_edge[edge] >= by_edge[lowest]]
    first = max(above, key=lambda edge: by_edge[edge])
    return (
        f"{lowest} is required and scores {by_edge[lowest]:g}; {len(above)} edges that are not score as much or more, "
        f"the highest {first} with {by_edge[first]:g}"
    )
