"""Masked outputs are what the forward by hand gives: for one edge cut, any circuit, any share, all edges and none.

Cutting one edge is path patching by hand; so is any circuit, and any share of its edges.

Cutting w -> r feeds r, and only r, the background of w instead of what w writes, and recomputes everything after r
(Goldowsky-Dill et al. 2023, arXiv 2304.05969, section 3). `forward.py` does this by hand, node by node. A circuit is the same
with many edges, and a share m of an edge carries m of the one and 1 - m of the other. Writers that no kept path joins to `out`
need not be computed; where heads share keys and values, the other heads of their layer are computed all the same.

With all edges kept, outputs are the model's; with none kept, the corrupted run's, or constant.

A reader sees  sum_w background_w + biases + sum_w m_w (out_w - background_w).  With m = 1 everywhere that is the sum of what
is written in this run; by induction over readers it is the model itself, whatever the background. With m = 0 it is the sum of
backgrounds: under resampling, what the reader sees in the corrupted run; under zero ablation, the attention output biases
only, equal at every position of every input.
"""

from __future__ import annotations

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, close, each_task, invariant
from tracrcheck.invariants.circuits import mask_of, some_circuits, some_shares
from tracrcheck.invariants.expected import expected, plain
from tracrcheck.invariants.subjects import generator_of, is_random, some_items

EDGES = 24  # cut in turn, of all


@invariant("cutting one edge is path patching by hand, under every ablation")
@each_task()
def one_edge_cut(task: Task, seed: int) -> Violations:
    graph = task.graph
    chosen = torch.randperm(graph.n_edges, generator=generator_of(seed))[:EDGES].tolist()
    cut = [graph.edges[i] for i in sorted(chosen)]
    items, mask = (
        some_items(task, seed, 2),
        mask_of(task, *(Circuit.full(graph).without(edge) for edge in cut)),
    )
    what = f"one edge cut (in turn {', '.join(map(str, cut))})"
    yield from expected(task, mask, items).violations(what, task.outputs(mask, items))


@invariant("a random circuit gives what a forward by hand gives")
@each_task()
def any_circuit(task: Task, seed: int) -> Violations:
    items, mask = some_items(task, seed), mask_of(task, *some_circuits(task.graph, seed))
    want = expected(task, mask, items)
    yield from want.violations("random circuits", task.outputs(mask, items))
    got = task.outputs(mask, items, edges=task.open_edges(mask))
    yield from want.violations("random circuits, only live writers computed", got)
    mask = mask_of(task, beheaded(task.graph, seed))
    got = task.outputs(mask, items, edges=task.open_edges(mask))
    yield from expected(task, mask, items).violations("a head of each layer dead", got)


def beheaded(graph: ResidualGraph, seed: int) -> Circuit:
    """All edges except those of one head of each layer, which is alone in its layer or next to heads that live."""
    dead = seed % graph.n_heads
    return Circuit(
        graph, frozenset(e for e in graph.edges if e.writer.kind != "head" or e.writer.head != dead)
    )


@invariant("random shares of edges, with a gradient, give what a forward by hand gives", applies=is_random)
@each_task()
def any_share(task: Task, seed: int) -> Violations:
    items, mask = some_items(task, seed), some_shares(task, seed)
    got = task.outputs(mask.clone().requires_grad_(), items).detach()  # as training runs it
    yield from expected(task, mask, items).violations("random shares", got)
    small = mask * 0.4  # an edge of which little is kept is kept all the same
    got = task.outputs(small, items, edges=task.open_edges(small))
    yield from expected(task, small, items).violations(
        "random shares below a half, only live writers computed", got
    )


@invariant("with every edge kept, outputs are the model's, under every ablation")
@each_task()
def all_kept(task: Task, seed: int) -> Violations:
    items, everything = some_items(task, seed), mask_of(task, Circuit.full(task.graph))
    want, rounding = plain(task, items[:, 0]), 2 * expected(task, everything, items).off
    got = task.outputs(everything, items)  # in which backgrounds are added and subtracted again
    yield from want.violations("all edges kept", got, more=rounding)
    yield from want.violations("the reference of the task", task.reference[items[:, 0]][None])


@invariant("with no edge kept, outputs are the corrupted run's under resample, and one constant under zero")
@each_task("resample", "zero", "mean")
def none_kept(task: Task, seed: int) -> Violations:
    items, nothing = some_items(task, seed), mask_of(task, Circuit.empty(task.graph))
    got = task.outputs(nothing, items)
    resampled = task.ablation.name == "resample"
    want = plain(task, items[:, 1]) if resampled else expected(task, nothing, items)
    yield from want.violations("no edge kept", got)
    if task.ablation.name == "zero":
        yield from close("no edge kept, compared with the first item", got, got[:, :1, :1], 0)
