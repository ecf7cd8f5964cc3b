"""What a method found in a trained model: lines, a picture, and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.faithfulness import Matrix
from tracrcheck.reports.faithfulness import matrix_document
from tracrcheck.reports.render.graph import Drawing, node_of, svg
from tracrcheck.trained.discover import Found

SCHEMA = "tracrcheck.discovery/1"


def found_lines(found: Found) -> list[str]:
    """How many edges, how near to the model, and the edges: a line a reader, with what it reads."""
    answer, circuit = found.answer, found.circuit
    if circuit is None:
        return [f"FAILS: {answer.fault or 'no_result'}: {answer.detail}"]
    dropped = f", {found.dangling} dangling ones dropped" if found.dangling else ""
    return [
        f"{len(circuit):,} of {found.n_edges:,} edges{dropped}, found in {answer.seconds:.0f} s; on the {found.n_prompts:,} "
        f"prompts it was found on, KL {found.kl_mean:.3f} nats in the mean, {found.kl_worst:.3f} at worst",
        *(f"    {reader:<9} <- {', '.join(writers)}" for reader, writers in _readers(circuit)),
    ]


def _readers(circuit: Circuit) -> Iterator[tuple[str, list[str]]]:
    into: dict[str, list[str]] = {}
    for edge in circuit:
        into.setdefault(str(edge.reader), []).append(str(edge.writer))
    yield from into.items()


def circuit_svg(circuit: Circuit, *, name: str, title: str) -> str:
    """A picture of every component that the circuit uses, with how many edges it reads and writes."""
    writes = Counter(str(edge.writer) for edge in circuit)
    reads = Counter(node_of(edge.reader) for edge in circuit)
    labels = {
        node: ", ".join(f"{word} {n}" for word, n in (("reads", reads[node]), ("writes", writes[node])) if n)
        for node in writes | reads
    }
    return svg(Drawing(graph=circuit.graph, name=name, title=title, solid=tuple(circuit), labels=labels))


def discovery_document(asked: dict[str, Any], found: Found, matrix: Matrix | None) -> dict[str, Any]:
    circuit = found.circuit
    return {
        "schema": SCHEMA,
        "asked": asked,
        "fault": found.answer.fault,
        "seconds": found.answer.seconds,
        "n_edges": None if circuit is None else len(circuit),
        "n_graph_edges": found.n_edges,
        "n_dangling": found.dangling,
        "kl_mean": found.kl_mean,
        "kl_worst": found.kl_worst,
        "circuit": None if circuit is None else circuit.to_json(),
        "scores": _scores(found),
        "faithfulness": None if matrix is None else matrix_document(matrix),
    }


def _scores(found: Found) -> dict[str, float] | None:
    """What the method scored each edge of its circuit, where it scored any."""
    circuit, scores = found.circuit, found.answer.scores
    if circuit is None or scores is None:
        return None
    return {
        str(edge): float(score)
        for edge, score in zip(circuit.graph.edges, scores, strict=True)
        if edge in circuit
    }
