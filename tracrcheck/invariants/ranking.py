"""Methods that try edges make the decisions of their definitions: rankings, exact scores, ACDC.

A method that ranks edges keeps the shortest head of its ranking that is accepted, and ranks by size.

Edges are sorted by score, largest first, the first of equals first; scores that only rounding separates are equal. A head of the ranking without its dangling edges is a
circuit. Bisection ends when one length is accepted and the next shorter one, if any, was tried and refused. (For attribution,
the size is checked on a linear model, where it is the cost of a cut: `attribution.py`.) Exact scores are computed by hand:
each edge cut alone in `forward.py`, then the worst scored coordinate of the worst item, or the mean over items.

ACDC is Algorithm 1 of Conmy et al. 2023 (arXiv 2304.14997), one edge at a time: readers from last to first, and for each its writers from last to first. An edge is
removed for good if that increases the divergence by less than tau. A node whose output no kept edge reads is skipped, and
all edges into it are removed. This is a plain loop, without batches, guesses or memory.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.graph import Edge, Reader
from edgeprune_core.methods import Acdc, Eap, EapIg, Exact, Method
from edgeprune_core.methods.top_edges import top_edges
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violation, Violations, close, each_task, equal, invariant
from tracrcheck.invariants.circuits import mask_of
from tracrcheck.invariants.expected import expected, plain
from tracrcheck.invariants.subjects import generator_of, is_random, with_few_items, with_tolerance

RANKING: tuple[Method, ...] = (Eap(), EapIg(steps=2), EapIg(path="activations", steps=2), Exact())
FEW = 7  # edges requested
TOLERANCES = (0.05, 0.5, 2.0)  # so that heads of several lengths are right


@invariant(
    "a ranking method keeps the shortest head of its ranking that bisection accepts, and ranks by size",
    applies=is_random,
)
@each_task("resample")
def shortest_head(whole: Task, seed: int) -> Violations:
    task = with_few_items(whole, seed, 6)
    for method, tolerance in zip(RANKING, (*TOLERANCES, *TOLERANCES), strict=False):
        case = with_tolerance(task, tolerance)
        for wrong in _head(case, method(case)):
            yield replace(wrong, what=f"{type(method).__name__}: {wrong.what}")


def _head(task: Task, found: Discovery) -> Violations:
    assert found.scores is not None
    if (found.scores < 0).any():
        yield Violation("the lowest score", float(found.scores.min()), "a size")
    order = _order(found.scores.tolist())
    heads = [_circuit(task, order, n) for n in range(len(order) + 1)]
    yield from equal(f"the {FEW} that score highest", top_edges(task, found.scores, FEW), heads[FEW])
    coarse = (found.scores * 4 / found.scores.max()).round()
    noisy = coarse + 1e-12 * torch.rand(len(coarse), generator=generator_of(0), dtype=coarse.dtype)
    yield from equal(
        "the top edges, with noise in equal scores", top_edges(task, noisy, FEW), top_edges(task, coarse, FEW)
    )
    lengths = [n for n, head in enumerate(heads) if head == found.circuit]
    if not lengths:
        yield Violation("the circuit", found.circuit.texts[:4], "a head of the ranking")
    yield from equal(f"whether the head of {lengths[0]} edges is accepted", task.accepts(found.circuit), True)
    if lengths[0]:
        shorter = task.accepts(heads[lengths[0] - 1])
        yield from equal("whether the head one shorter is accepted", shorter, False)


def _order(scores: list[float]) -> list[int]:
    """Largest score first; scores within 1e-9 of the largest one's size of the best that is left come with it, as listed."""
    left, order, width = list(range(len(scores))), [], 1e-9 * max(map(abs, scores))
    while left:
        best = max(scores[i] for i in left)
        order += [i for i in left if scores[i] >= best - width]
        left = [i for i in left if scores[i] < best - width]
    return order


def _circuit(task: Task, order: list[int], n: int) -> Circuit:
    return Circuit.of(task.graph, (task.graph.edges[i] for i in order[:n])).connected()


@invariant(
    "exact scores are how far cutting each edge alone moves the outputs, as computed by hand",
    applies=is_random,
)
@each_task("zero")
def exact_scores(whole: Task, seed: int) -> Violations:
    task = with_few_items(whole, seed, 4)
    full, edges = Circuit.full(task.graph), task.graph.edges
    cuts = expected(task, mask_of(task, *(full.without(edge) for edge in edges)), task.items)
    uncut = plain(task, task.items[:, 0])
    moved = (cuts.x - uncut.x).abs().nan_to_num().amax((-1, -2))
    rough = (cuts.off + uncut.off).nan_to_num().amax((-1, -2, -3)) * 2 + 1e-9
    worst, mean = (Exact(over=over, circuits_at_once=5).scores(task) for over in ("worst", "mean"))
    yield from close("the worst deviation without an edge", worst, moved.amax(1), rough, names=edges)
    yield from close("the mean deviation without an edge", mean, moved.mean(1), rough, names=edges)


TAU = 3.0  # in units of the divergence per edge that removing everything costs: some edges go, and some nodes die


@invariant("ACDC removes the edges that Algorithm 1 removes one at a time", applies=is_random)
@each_task("resample")
def acdc(whole: Task, seed: int) -> Violations:
    task = with_few_items(whole, seed, 5)
    tau = TAU * _divergence(task, Circuit.empty(task.graph)) / task.graph.n_edges
    yield from equal(
        f"the circuit of tau = {tau:.3g}", Acdc(tau=tau)(task).circuit, _algorithm_1(task, tau).connected()
    )


def _algorithm_1(task: Task, tau: float) -> Circuit:
    graph, kept = task.graph, Circuit.full(task.graph)
    now = _divergence(task, kept)
    for reader in reversed(graph.readers):
        if _is_dead(task, kept, reader):
            kept = Circuit(graph, frozenset(edge for edge in kept.edges if edge.reader != reader))
            continue
        for writer in reversed(graph.writers[: graph.reach[reader.index]]):
            smaller = kept.without(Edge(writer, reader))
            if (value := _divergence(task, smaller)) - now < tau:
                kept, now = smaller, value
    return kept


def _is_dead(task: Task, kept: Circuit, reader: Reader) -> bool:
    """Whether no kept edge reads from any node that this reader is a port of."""
    if reader.kind == "out":
        return False
    spec = task.model.spec
    group = spec.n_heads // spec.n_kv_heads if reader.port in ("k", "v") else 1
    heads = range(reader.head * group, (reader.head + 1) * group)
    own = {f"a{reader.layer}.h{head}" for head in heads} if reader.kind == "head" else {f"m{reader.layer}"}
    return not any(str(edge.writer) in own for edge in kept.edges)


def _divergence(task: Task, circuit: Circuit) -> float:
    return float(task.divergences(mask_of(task, circuit))[0])
