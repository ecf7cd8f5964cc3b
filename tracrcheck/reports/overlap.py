"""Two circuits compared: text, tables, a drawing, and JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgeprune_core.faithfulness import Cell, Matrix
from edgeprune_core.metrics import METRICS
from tracrcheck.reports.document import Column, Table, number
from tracrcheck.reports.faithfulness import matrix_document
from tracrcheck.reports.picture import overlap_picture
from tracrcheck.reports.render.graph import svg
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
    return Table.of(
        found.layers(),
        Column("edges into", lambda row: "out" if row.layer is None else f"layer {row.layer}"),
        number("shared", lambda row: f"{row.shared:,}"),
        number("only A", lambda row: f"{row.only_a:,}"),
        number("only B", lambda row: f"{row.only_b:,}"),
    )


def crossed_table(judged: Sequence[Judged]) -> Table:
    """A row for each circuit and task: under resampling with all other edges cut, and the number of cells that are faithful."""

    def mean(metric: str, of: str = "circuit") -> Callable[[Judged], str]:
        return lambda row: f"{getattr(_cell(row.matrix, metric), of).mean:.3f}"

    names = {"a": "A", "b": "B", "shared": "shared"}
    return Table.of(
        judged,
        Column("circuit", lambda row: names[row.which]),
        Column("on", lambda row: row.task),
        number("edges", lambda row: f"{row.matrix.n_edges:,}"),
        number(METRICS["kl"].label, mean("kl")),
        number("random", mean("kl", "null")),
        number(METRICS["recovered"].label, mean("recovered")),
        number(METRICS["accuracy"].label, mean("accuracy")),
        number("model", lambda row: f"{_cell(row.matrix, 'accuracy').model:.3f}"),
        Column(
            "faithful in",
            lambda row: f"{sum(c.supports for c in row.matrix.cells)} of {len(row.matrix.cells)} cells",
        ),
    )


def _cell(matrix: Matrix, metric: str) -> Cell:
    (found,) = (
        c for c in matrix.cells if (c.ablation, c.direction, c.metric) == ("resample", "kept", metric)
    )
    return found


# The picture ----------------------------------------------------------------------------------------------


def overlap_svg(found: Overlap, *, title: str) -> str:
    """Both circuits in one drawing."""
    picture = overlap_picture({"shared": found.shared, "only A": found.only_a, "only B": found.only_b})
    return svg(picture, title=title, legend=True)


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
