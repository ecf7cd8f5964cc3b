"""A method that ranks edges keeps the shortest head of its ranking that is accepted, and ranks by size.

Edges are sorted by score, largest first, the first of equals first. A head of the ranking without its dangling edges is a
circuit. Bisection ends when one length is accepted and the next shorter one, if any, was tried and refused. (For attribution,
the size is checked on a linear model, where it is the cost of a cut: `attribution.py`.) Exact scores are computed by hand:
each edge cut alone in `forward.py`, then the worst scored coordinate of the worst item, or the mean over items.
"""

from __future__ import annotations

from dataclasses import replace

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.methods import Eap, EapIg, Exact, Method
from edgeprune_core.methods.top_edges import top_edges
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.circuits import mask_of
from tracrcheck.invariants.expected import expected, plain
from tracrcheck.invariants.subjects import Subject, is_program, some_items

METHODS: tuple[Method, ...] = (Eap(), EapIg(steps=2), EapIg(path="activations", steps=2), Exact())
FEW = 7  # edges requested
TOLERANCES = (0.05, 0.5, 2.0)  # so that heads of several lengths are right


def shortest_head(subject: Subject, seed: int) -> Violation | None:
    whole = subject.tasks["resample"]
    task = replace(whole, items=some_items(whole, seed, 6))
    for method, tolerance in zip(METHODS, (*TOLERANCES, *TOLERANCES), strict=False):
        asked = replace(task, outcome=replace(task.outcome, tolerance=tolerance))
        if wrong := _head(asked, method(asked)):
            return Violation(f"{type(method).__name__}: {wrong.what}", wrong.got, wrong.wanted)
    return None


def _head(task: Task, found: Discovery) -> Violation | None:
    assert found.scores is not None
    if (found.scores < 0).any():
        return Violation("the lowest score", float(found.scores.min()), "a size")
    order = sorted(range(task.graph.n_edges), key=lambda i: (-float(found.scores[i]), i))  # type: ignore[index]
    heads = [_circuit(task, order, n) for n in range(len(order) + 1)]
    if (got := top_edges(task, found.scores, FEW)) != heads[FEW]:
        return Violation(f"the {FEW} that score highest", got.texts, heads[FEW].texts)
    lengths = [n for n, head in enumerate(heads) if head == found.circuit]
    if not lengths:
        return Violation("the circuit", found.circuit.texts[:4], "a head of the ranking")
    if not task.accepts(found.circuit):
        return Violation(f"the head of {lengths[0]} edges", "refused by the task", "accepted")
    if lengths[0] and task.accepts(heads[lengths[0] - 1]):
        return Violation("the head one shorter", "accepted", "refused")
    return None


def _circuit(task: Task, order: list[int], n: int) -> Circuit:
    return Circuit.of(task.graph, (task.graph.edges[i] for i in order[:n])).connected()


def exact_scores(subject: Subject, seed: int) -> Violation | None:
    whole = subject.tasks["zero"]
    task = replace(whole, items=some_items(whole, seed, 4))
    full = Circuit.full(task.graph)
    cuts = expected(task, mask_of(task, *(full.without(edge) for edge in task.graph.edges)), task.items)
    uncut = plain(task, task.items[:, 0])
    moved = (cuts.x - uncut.x).abs().nan_to_num().amax((-1, -2))
    rough = (cuts.off + uncut.off).nan_to_num().amax((-1, -2, -3)) * 2 + 1e-9
    for over, want in (("worst", moved.amax(1)), ("mean", moved.mean(1))):
        got = Exact(over=over, circuits_at_once=5).scores(task)  # type: ignore[arg-type]
        if (bad := ~((got - want).abs() <= rough)).any():
            i = int(bad.nonzero()[0])
            return Violation(
                f"the {over} deviation without {task.graph.edges[i]}", float(got[i]), float(want[i])
            )
    return None


SHORTEST_HEAD = Invariant(
    name="shortest_head",
    statement="a ranking method keeps the shortest head of its ranking that bisection accepts, and ranks by size",
    check=shortest_head,
    applies=lambda subject: not is_program(subject),
)
EXACT_SCORES = Invariant(
    name="exact_scores",
    statement="exact scores are how far cutting each edge alone moves the outputs, as computed by hand",
    check=exact_scores,
    applies=lambda subject: not is_program(subject),
)
