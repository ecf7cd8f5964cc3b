"""Answer + Certificate -> Verdict, on what is judged: the circuit, the ranking by scores, or nodes.

    circuit       as `grade.py` says
    ranking       HOLDS if some threshold on the scores keeps exactly a smallest circuit. Edges with equal scores enter
                  together, and no edge is dropped afterwards. Otherwise FAILS (`no_threshold`); `missing` and `extra` are
                  then those of the threshold that comes nearest.
    nodes         the required edges as heads and MLPs, by the rules of coarser edges (`grade_imported.py`)
    node_ranking  the best that those rules say of the nodes that a threshold keeps, as many as are required or fewer;
                  where they all fail, `no_threshold` and the threshold that comes nearest

An answer of nodes is judged as such, one of scores alone by its ranking, and any other by its circuit, unless the call says
which (`--judge`). A selector (`--select`) makes a circuit of the scores of edges first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
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
    if answer.fault is None and (answer.nodes is not None or answer.node_scores is not None):
        of_nodes = partial(_of_nodes, compiled, task, certificate, method)
        verdict = (
            of_nodes(answer.nodes)
            if answer.nodes is not None
            else _node_ranking(task, certificate, answer, of_nodes)
        )
        return replace(verdict, seed=seed, seconds=answer.seconds)
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
    ranked = answer.scores is not None or answer.node_scores is not None
    if (judge.on == "ranking" and not ranked) or (judge.select is not None and answer.scores is None):
        return "it returned no scores of the edges"
    if answer.circuit is None and answer.nodes is None and judge.on == "circuit":
        nodes = answer.node_scores is not None
        return f"it returned scores{' of nodes' if nodes else ''} and no circuit" + (
            "" if nodes else ": --select makes one of them"
        )
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
        detail=_why(
            dict(zip(map(str, task.graph.edges), scores, strict=True)),
            nearest_to(certificate, nearest).texts,
            "edges",
        ),
    )


def _heads(scores: list[float]) -> Iterator[list[int]]:
    """The places that each threshold keeps, fewest first: none, then one tie after the other."""
    kept: list[int] = []
    yield []
    for tie in tied(scores):
        kept = [*kept, *tie]
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


def _why(scores: Mapping[str, float], truth: Collection[str], things: str) -> str:
    """The required edge or node with the lowest score, and those in its way."""
    lowest = min(truth, key=lambda name: scores[name])
    above = [name for name in scores if name not in truth and scores[name] >= scores[lowest]]
    first = max(above, key=lambda name: scores[name])
    return (
        f"{lowest} is required and scores {scores[lowest]:g}; {len(above)} {things} that are not score as much or more, "
        f"the highest {first} with {scores[first]:g}"
    )


# Nodes -------------------------------------------------------------------------------------------------


def _of_nodes(
    compiled: Compiled,
    task: Task,
    certificate: Certificate,
    method: str,
    kept: Iterable[str],
    scores: Mapping[str, float] = {},
) -> Verdict:
    imported = Imported(format="nodes", granularity=Nodes(), kept=frozenset(kept), scores=scores)
    verdict = grade_imported(compiled, task, certificate, imported, name=method)
    return replace(verdict, judged="node_ranking" if scores else "nodes")


def _node_ranking(
    task: Task, certificate: Certificate, answer: Answer, of_nodes: Callable[..., Verdict]
) -> Verdict:
    assert answer.node_scores is not None
    nodes = [str(node) for node in task.graph.nodes]
    scores = dict(zip(nodes, answer.node_scores.tolist(), strict=True))
    truths = [Nodes().coarsen(circuit) for circuit in known_circuits(certificate)]
    heads = [frozenset(nodes[i] for i in head) for head in _heads(list(scores.values()))]
    most = max(map(len, truths))
    found = [of_nodes(head, scores) for head in heads if len(head) <= most]
    best = max(found, key=lambda v: ("FAILS", "UNKNOWN", "HOLDS").index(v.verdict))
    if best.verdict != "FAILS":
        return best
    nearest, truth = min(product(heads, truths), key=lambda pair: len(pair[0] ^ pair[1]))
    verdict = of_nodes(nearest, scores)
    if nearest == truth:  # not even the required nodes are faithful
        return verdict
    detail = _why(scores, truth, "nodes")
    return replace(verdict, verdict="FAILS", reason="no_threshold", detail=f"{verdict.detail}; {detail}")
