"""Edges that carry nothing change nothing: those outside `permitted`, and dangling ones.

Outside `permitted`, a product of weights is zero (derived in `truth/permitted.py`), so keeping such an edge or not changes no
output, in any circuit. An edge that no kept path joins to `out` (found by names) changes no output either, under any
ablation. A node none of whose ports keeps an edge is on no path from an input: under resampling it writes what it wrote on
the corrupted input, which is what its cut edges carry, so its edges change nothing. Under zero or mean ablation this is not a
law: such a node still writes a constant, which is not its background.
"""

from __future__ import annotations

from edgeprune_core.circuit import Circuit
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.subjects import Subject, has_no_norm, some_items
from tracrcheck.truth import permitted as structure


def fed(circuit: Circuit) -> Circuit:
    """The circuit without the edges of nodes that read nothing."""
    kept = set(circuit.edges)
    for writer in circuit.graph.writers:  # the readers of a node come after everything it may read
        ports = circuit.graph.readers_of(writer)
        if ports and not any(edge.reader in ports for edge in kept):
            kept = {edge for edge in kept if edge.writer != writer}
    return Circuit(circuit.graph, frozenset(kept))


def outside_permitted(subject: Subject, seed: int) -> Violation | None:
    full = Circuit.full(subject.graph)
    for name, task in subject.tasks.items():
        if not task.ablation.within_span:
            continue
        allowed = structure.permitted(task.model, task.tokens)
        circuits = [*some_circuits(task.graph, seed), full]
        if wrong := _same(
            subject, name, seed, circuits, [c & allowed for c in circuits], "edges outside `permitted`"
        ):
            return wrong
    return None


def joined(circuit: Circuit) -> list[str]:
    """The edges on some path of kept edges to `out`, by names alone."""
    group = circuit.graph.n_heads // circuit.graph.n_kv_heads
    reached, before = {"out"}, 0
    while len(reached) > before:
        before = len(reached)
        for edge in circuit.edges:
            writer = edge.writer
            if str(edge.reader) not in reached or writer.kind not in ("head", "mlp"):
                continue
            at = f"a{writer.layer}.h{writer.head // group}"
            ports = (f"{writer}.q", f"{at}.k", f"{at}.v") if writer.kind == "head" else (str(writer),)
            reached.update(ports)
    return [str(edge) for edge in circuit if str(edge.reader) in reached]


def dangling(subject: Subject, seed: int) -> Violation | None:
    circuits = some_circuits(subject.graph, seed, (0.15, 0.3, 0.5))
    for circuit in circuits:
        if (found := circuit.connected().texts) != (want := joined(circuit)):
            return Violation("a circuit without its dangling edges", f"{len(found)} edges", f"{len(want)}")
    for name in subject.tasks:
        if wrong := _same(
            subject, name, seed, circuits, [c.connected() for c in circuits], "no path to `out`"
        ):
            return wrong
    return _same(subject, "resample", seed, circuits, [fed(c) for c in circuits], "nodes that read nothing")


def _same(
    subject: Subject, name: str, seed: int, before: list[Circuit], after: list[Circuit], what: str
) -> Violation | None:
    task = subject.tasks[name]
    items, mask = some_items(task, seed), mask_of(task, *before)
    want = expected(task, mask, items).around(task.outputs(mask, items))
    return want.violation(f"{what}, kept and cut under {name}", task.outputs(mask_of(task, *after), items))


OUTSIDE_PERMITTED = Invariant(
    name="outside_permitted",
    statement="edges outside `permitted` change no output of any circuit",
    check=outside_permitted,
    applies=has_no_norm,
)
DANGLING = Invariant(
    name="dangling",
    statement="edges without a path to `out` change nothing; under resample, neither do those of nodes that read nothing",
    check=dangling,
)
