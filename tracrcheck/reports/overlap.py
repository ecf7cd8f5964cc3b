"""Two circuits compared: text, tables, a drawing, and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.faithfulness import Cell, Matrix
from tracrcheck.reports.document import Table, columns
from tracrcheck.reports.faithfulness import matrix_document
from tracrcheck.reports.picture import node_of
from tracrcheck.reports.render import graph
from tracrcheck.trained.overlap import Judged, Overlap

SCHEMA = "tracrcheck.overlap/1"


def overlap_lines(found: Overlap, a: str, b: str) -> list[str]:
    n_edges, jaccard = found.a.graph.n_edges, found.jaccard
    share = "" if jaccard is None else f", {jaccard:.0%} of those that either has (Jaccard)"
    return [
        f"A: {a}, {len(found.a):,} edges; B: {b}, {len(found.b):,} edges; of {n_edges:,}",
        f"shared {len(found.shared):,}{share}; two random circuits of these sizes share {found.expected:,.1f}",
        f"only A {len(found.only_a):,}; only B {len(found.only_b):,}",
    ]


def layers_table(found: Overlap) -> Table:
    rows = [
        (
            "out" if row.layer is None else f"layer {row.layer}",
            *(f"{n:,}" for n in (row.shared, row.only_a, row.only_b)),
        )
        for row in found.layers()
    ]
    return Table(columns=columns("edges into", *graph.OVERLAP, numbers=tuple(graph.OVERLAP)), rows=rows)


def crossed_table(judged: Sequence[Judged]) -> Table:
    """A row for each circuit and task: under resampling with all other edges cut, and the number of cells that are faithful."""
    numbers = ("edges", "KL, nats", "random", "margin recovered", "accuracy", "model")
    rows = []
    names = {"a": "A", "b": "B", "shared": "shared"}
    for row in judged:
        kl, margin, accuracy = (_cell(row.matrix, metric) for metric in ("kl", "recovered", "accuracy"))
        cells = row.matrix.cells
        rows.append((
            names[row.which], row.task, f"{row.matrix.n_edges:,}",
            f"{kl.circuit.mean:.3f}", f"{kl.null.mean:.3f}", f"{margin.circuit.mean:.3f}",
            f"{accuracy.circuit.mean:.3f}", f"{accuracy.model:.3f}",
            f"{sum(c.supports for c in cells)} of {len(cells)} cells",
        ))  # fmt: skip
    return Table(columns=columns("circuit", "on", *numbers, "faithful in", numbers=numbers), rows=rows)


def _cell(matrix: Matrix, metric: str) -> Cell:
    (found,) = (
        c for c in matrix.cells if (c.ablation, c.direction, c.metric) == ("resample", "kept", metric)
    )
    return found


# The picture ----------------------------------------------------------------------------------------------


def overlap_svg(found: Overlap, *, title: str) -> str:
    """Both circuits in one drawing. Each component is labelled with its number of edges in each part."""
    parts = {"shared": found.shared, "only A": found.only_a, "only B": found.only_b}
    return graph.overlap_svg(parts, _labels(parts), title=title)


def _labels(parts: dict[str, Circuit]) -> dict[str, str]:
    """Component -> its number of edges in each part."""
    touching = {
        name: Counter(node for e in part for node in (str(e.writer), node_of(e.reader)))
        for name, part in parts.items()
    }
    nodes = {node for counts in touching.values() for node in counts}
    return {
        node: ", ".join(
            f"{counts[node]} {name.removeprefix('only ')}"
            for name, counts in touching.items()
            if counts[node]
        )
        for node in nodes
    }


# JSON -------------------------------------------------------------------------------------------------------


def overlap_document(asked: dict[str, Any], found: Overlap, judged: Sequence[Judged]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "asked": asked,
        "n_graph_edges": found.a.graph.n_edges,
        "n_a": len(found.a),
        "n_b": len(found.b),
        "jaccard": found.jaccard,
        "expected_shared": found.expected,
        "shared": found.shared.texts,
        "only_a": found.only_a.texts,
        "only_b": found.only_b.texts,
        "layers": [
            {"into": "out" if row.layer is None else row.layer, "shared": row.shared, "only_a": row.only_a, "only_b": row.only_b}
            for row in found.layers()
        ],
        "judged": [
            {"circuit": row.which, "task": row.task, "faithfulness": matrix_document(row.matrix)} for row in judged
        ],
    }  # fmt: skip
