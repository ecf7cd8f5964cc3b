"""The circuit reported is the circuit kept, and sparsity counts legal edges only.

`forward.py` counts the edges of a model by hand: readers first to last, each with the writers before it. The mask of a
circuit is 1 on its edges and 0 elsewhere, and reads back as the circuit. A mark where the reader comes before the writer names
no edge, so any marks read back as the edges they lie on. A method's circuit is its scores above a threshold, without the
edges that no kept path joins to `out`; the model cut to it gives what the mask of the threshold gives.
"""

from __future__ import annotations

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.mask import circuit_from_mask, edge_values, mask_from_edge_values, to_mask
from edgeprune_core.methods import EdgePruningBounded, RandomEdges
from edgeprune_core.methods.candidates import Restarts
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, close, each_task, equal, invariant
from tracrcheck.invariants.circuits import circuit_of, mask_of, some_circuits
from tracrcheck.invariants.determinism import QUICK
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.forward import edges
from tracrcheck.invariants.subjects import Subject, generator_of, some_items


@invariant("the graph has the edges counted by hand, and sparsity counts those edges only")
def legal_edges(subject: Subject, seed: int) -> Violations:
    graph = subject.graph
    by_hand = [f"{writer} -> {reader}" for writer, reader in edges(subject.spec)]
    n, full = len(by_hand), Circuit.full(graph)
    yield from equal("the graph's edges", [str(edge) for edge in graph.edges], by_hand)
    yield from equal("n_edges", graph.n_edges, n)
    legal = edge_values(graph, torch.ones(1, len(graph.readers), len(graph.writers)))
    yield from equal("legal mask entries", legal.shape[1], n)
    yield from equal("edges of the full circuit", len(full), n)
    yield from equal("mask entries of the full circuit", int(to_mask(full).sum()), n)
    for circuit in some_circuits(graph, seed):
        yield from equal("the share of edges kept", circuit.keep_fraction, len(circuit.edges) / n)


@invariant("a circuit's mask is 1 on its edges, 0 elsewhere, and reads back as the circuit")
def masks_and_circuits(subject: Subject, seed: int) -> Violations:
    graph = subject.graph
    for circuit in [*some_circuits(graph, seed), Circuit.full(graph), Circuit.empty(graph)]:
        mask = to_mask(circuit)[0]
        by_name = {(str(e.writer), str(e.reader)) for e in circuit.edges}
        marked = {(str(graph.writers[w]), str(graph.readers[r])) for r, w in (mask != 0).nonzero().tolist()}
        yield from equal("edges in the mask of a circuit, and out of it", sorted(marked ^ by_name)[:4], [])
        yield from equal("entries of a mask", set(mask.flatten().tolist()) - {0.0, 1.0}, set())
        again = mask_from_edge_values(graph, edge_values(graph, mask[None]))[0]
        yield from equal("a circuit read back from its mask", circuit_from_mask(graph, mask > 0), circuit)
        yield from equal(
            "a circuit read back from its edges' values", circuit_from_mask(graph, again > 0), circuit
        )
    everywhere = torch.ones_like(mask, dtype=torch.bool)
    some = torch.rand(mask.shape, generator=generator_of(seed)) < 0.5
    for how, marks in (("everywhere", everywhere), ("at random", some), ("in all other places", ~some)):
        named = frozenset(e for e in graph.edges if marks[e.reader.index, e.writer.index])
        yield from equal(f"marks {how}, legal or not", circuit_from_mask(graph, marks), Circuit(graph, named))
    circuits = some_circuits(graph, seed)
    for circuit, mask in zip(circuits, to_mask(circuits), strict=True):
        yield from close("the mask of a circuit in a batch", mask, to_mask(circuit)[0], 0)


@invariant("a method's circuit is its scores above the threshold, and gives the outputs of their mask")
@each_task("zero", "resample")
def reported_circuit(task: Task, seed: int) -> Violations:
    pathwise = EdgePruningBounded(steps=6, circuits=4, restarts=Restarts(count=0))
    for method, threshold in ((RandomEdges(keep_fraction=0.5), -0.5), (pathwise, 0.0), (QUICK, 0.0)):
        name, found, items = type(method).__name__, method(task), some_items(task, seed)
        assert found.scores is not None
        above = found.scores > threshold
        kept = circuit_of(task.graph, above).connected()
        yield from equal(f"the circuit of {name} and its scores above {threshold:g}", found.circuit, kept)
        gates = mask_from_edge_values(task.graph, above[None].to(task.model.dtype))
        got = task.outputs(mask_of(task, found.circuit), items)
        yield from expected(task, gates, items).violations(f"outputs of the circuit of {name}", got)
