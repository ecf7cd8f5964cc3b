"""Cutting one edge is path patching by hand; so is any circuit, and any share of its edges.

Cutting w -> r feeds r, and only r, the background of w instead of what w writes, and recomputes everything after r
(Goldowsky-Dill et al. 2023, arXiv 2304.05969, section 3). `forward.py` does this by hand, node by node. A circuit is the same
with many edges, and a share m of an edge carries m of the one and 1 - m of the other. Writers that no kept path joins to `out`
need not be computed; where heads share keys and values, the other heads of their layer are computed all the same.
"""

from __future__ import annotations

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import live_writers
from edgeprune_core.graph import ResidualGraph
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.circuits import mask_of, some_circuits, some_shares
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.subjects import Subject, generator_of, is_program, some_items

EDGES = 24  # cut in turn, of all


def one_edge_cut(subject: Subject, seed: int) -> Violation | None:
    graph = subject.graph
    chosen = torch.randperm(graph.n_edges, generator=generator_of(seed))[:EDGES].tolist()
    cuts = [Circuit.full(graph).without(graph.edges[i]) for i in sorted(chosen)]
    names = ", ".join(str(graph.edges[i]) for i in sorted(chosen))
    for name, task in subject.tasks.items():
        items, mask = some_items(task, seed, 2), mask_of(task, *cuts)
        want = expected(task, mask, items)
        if wrong := want.violation(
            f"one edge cut under {name} (circuits: {names})", task.outputs(mask, items)
        ):
            return wrong
    return None


def any_circuit(subject: Subject, seed: int) -> Violation | None:
    for name, task in subject.tasks.items():
        items, mask = some_items(task, seed), mask_of(task, *some_circuits(task.graph, seed))
        want = expected(task, mask, items)
        if wrong := want.violation(f"random circuits under {name}", task.outputs(mask, items)):
            return wrong
        got = task.outputs(mask, items, live=live_writers(mask, task.graph))
        if wrong := want.violation(f"random circuits under {name}, only live writers computed", got):
            return wrong
        mask = mask_of(task, beheaded(task.graph, seed))
        got = task.outputs(mask, items, live=live_writers(mask, task.graph))
        if wrong := expected(task, mask, items).violation(f"a head of each layer dead under {name}", got):
            return wrong
    return None


def beheaded(graph: ResidualGraph, seed: int) -> Circuit:
    """All edges except those of one head of each layer, which is alone in its layer or next to heads that live."""
    dead = seed % graph.n_heads
    return Circuit(
        graph, frozenset(e for e in graph.edges if e.writer.kind != "head" or e.writer.head != dead)
    )


def any_share(subject: Subject, seed: int) -> Violation | None:
    for name, task in subject.tasks.items():
        items, mask = some_items(task, seed), some_shares(task, seed)
        got = task.outputs(mask.clone().requires_grad_(), items).detach()  # as training runs it
        if wrong := expected(task, mask, items).violation(f"random shares under {name}", got):
            return wrong
    return None


ONE_EDGE_CUT = Invariant(
    name="one_edge_cut",
    statement="cutting one edge is path patching by hand, under every ablation",
    check=one_edge_cut,
)
ANY_CIRCUIT = Invariant(
    name="any_circuit", statement="a random circuit gives what a forward by hand gives", check=any_circuit
)
ANY_SHARE = Invariant(
    name="any_share",
    statement="random shares of edges, with a gradient, give what a forward by hand gives",
    check=any_share,
    applies=lambda subject: not is_program(subject),
)
