"""The circuit reported is the circuit kept, and sparsity counts legal edges only.

`forward.py` counts the edges of a model by hand: readers first to last, each with the writers before it. The mask of a
circuit is 1 on its edges and 0 elsewhere, and reads back as the circuit. A mark where the reader comes before the writer names
no edge, so any marks read back as the edges they lie on. A method's circuit is its scores above a threshold, without the
edges that no kept path joins to `out`; the model cut to it gives what the mask of the threshold gives.
"""

from __future__ import annotations

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.mask import edge_values, from_edge_values, to_circuit, to_mask
from edgeprune_core.methods import EdgePruningBounded, RandomEdges
from edgeprune_core.methods.candidates import Restarts
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.circuits import some_circuits
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.forward import edges
from tracrcheck.invariants.quick import QUICK
from tracrcheck.invariants.subjects import Subject, generator_of, some_items


def legal_edges(subject: Subject, seed: int) -> Violation | None:
    graph = subject.graph
    by_hand = [f"{writer} -> {reader}" for writer, reader in edges(subject.spec)]
    if [str(edge) for edge in graph.edges] != by_hand:
        strange = sorted(set(map(str, graph.edges)) ^ set(by_hand))[:4]
        return Violation("the graph's edges", f"{graph.n_edges}, differing in {strange}", len(by_hand))
    counts = {
        "n_edges": graph.n_edges,
        "legal mask entries": edge_values(graph, torch.ones(1, len(graph.readers), len(graph.writers))).shape[
            1
        ],
        "the full circuit": len(Circuit.full(graph)),
        "mask entries of the full circuit": int(to_mask(Circuit.full(graph)).sum()),
    }
    for what, n in counts.items():
        if n != len(by_hand):
            return Violation(what, n, len(by_hand))
    for circuit in some_circuits(graph, seed):
        if circuit.keep_fraction != len(circuit.edges) / len(by_hand):
            return Violation(
                "the share of edges kept", circuit.keep_fraction, len(circuit.edges) / len(by_hand)
            )
    return None


def masks_and_circuits(subject: Subject, seed: int) -> Violation | None:
    graph = subject.graph
    for circuit in [*some_circuits(graph, seed), Circuit.full(graph), Circuit.empty(graph)]:
        mask = to_mask(circuit)[0]
        by_name = {(str(e.writer), str(e.reader)) for e in circuit.edges}
        marked = {(str(graph.writers[w]), str(graph.readers[r])) for r, w in (mask != 0).nonzero().tolist()}
        if marked != by_name or not ((mask == 0) | (mask == 1)).all():
            return Violation(
                "the mask of a circuit", sorted(marked ^ by_name)[:4], "1 on its edges, 0 elsewhere"
            )
        values = edge_values(graph, mask[None])
        for how, back in (
            ("from its mask", mask),
            ("from its edges' values", from_edge_values(graph, values)[0]),
        ):
            if to_circuit(graph, back > 0) != circuit:
                return Violation(f"a circuit read back {how}", len(to_circuit(graph, back > 0)), len(circuit))
    everywhere = torch.ones_like(mask, dtype=torch.bool)
    some = torch.rand(mask.shape, generator=generator_of(seed)) < 0.5
    for how, marks in (("everywhere", everywhere), ("at random", some), ("nowhere but there", ~some)):
        named = frozenset(e for e in graph.edges if marks[e.reader.index, e.writer.index])
        if (found := to_circuit(graph, marks)) != Circuit(graph, named):
            odd = sorted(map(str, found.edges ^ named))[:4]
            return Violation(f"marks {how}, legal or not", f"differing in {odd}", f"{len(named)} edges")
    circuits = some_circuits(graph, seed)
    for circuit, mask in zip(circuits, to_mask(circuits), strict=True):
        if not torch.equal(mask, to_mask(circuit)[0]):
            return Violation("the mask of a circuit beside others", int(mask.sum()), len(circuit))
    return None


def reported_circuit(subject: Subject, seed: int) -> Violation | None:
    random, pathwise = (
        RandomEdges(keep_fraction=0.5),
        EdgePruningBounded(steps=6, circuits=4, restarts=Restarts(count=0)),
    )
    for name in ("zero", "resample"):
        task = subject.tasks[name]
        for method, threshold in ((random, -0.5), (pathwise, 0.0), (QUICK, 0.0)):
            if wrong := _reported(task, method(task), threshold, seed):
                return Violation(
                    f"{type(method).__name__} under {name}: {wrong.what}", wrong.got, wrong.wanted
                )
    return None


def _reported(task: Task, found: Discovery, threshold: float, seed: int) -> Violation | None:
    assert found.scores is not None
    above = {
        edge for edge, on in zip(task.graph.edges, (found.scores > threshold).tolist(), strict=True) if on
    }
    kept = Circuit(task.graph, frozenset(above))
    if found.circuit != kept.connected():
        odd = sorted(map(str, found.circuit.edges ^ kept.connected().edges))
        return Violation(
            "the circuit and its scores", f"differ in {odd[:4]}", "the edges above the threshold"
        )
    items = some_items(task, seed)
    mask = to_mask(found.circuit, dtype=task.model.dtype)
    gates = from_edge_values(task.graph, (found.scores > threshold)[None].to(task.model.dtype))
    return expected(task, gates, items).violation(
        "outputs of the reported circuit", task.outputs(mask, items)
    )


LEGAL_EDGES = Invariant(
    name="legal_edges",
    statement="the graph has the edges counted by hand, and sparsity counts those edges only",
    check=legal_edges,
)
MASKS_AND_CIRCUITS = Invariant(
    name="masks_and_circuits",
    statement="a circuit's mask is 1 on its edges, 0 elsewhere, and reads back as the circuit",
    check=masks_and_circuits,
)
REPORTED_CIRCUIT = Invariant(
    name="reported_circuit",
    statement="a method's circuit is its scores above the threshold, and gives the outputs of their mask",
    check=reported_circuit,
)
