"""ACDC makes the decisions of Algorithm 1 in its paper, one edge at a time.

Conmy et al. 2023 (arXiv 2304.14997): readers from last to first, and for each its writers from last to first. An edge is
removed for good if that increases the divergence by less than tau. A node whose output no kept edge reads is skipped, and
all edges into it are removed. This is a plain loop, without batches, guesses or memory.
"""

from __future__ import annotations

from edgeprune_core.circuit import Circuit
from edgeprune_core.deviations import divergences_of
from edgeprune_core.graph import Edge, Reader
from edgeprune_core.methods import Acdc
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, each_task, equal, invariant
from tracrcheck.invariants.circuits import mask_of
from tracrcheck.invariants.subjects import is_random, with_few_items

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
    return float(divergences_of(task, mask_of(task, circuit))[0])
