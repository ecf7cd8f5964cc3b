"""Two circuits side by side: lines, tables, a picture, and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from rich.table import Table

from edgeprune_core.circuit import Circuit
from edgeprune_core.faithfulness import Cell, Matrix
from tracrcheck.reports.faithfulness import matrix_document
from tracrcheck.reports.render.graph import MARGIN, Drawing, node_of, svg
from tracrcheck.reports.text import table
from tracrcheck.trained.overlap import Judged, Overlap

SCHEMA = "tracrcheck.overlap/1"
_SVG = "http://www.w3.org/2000/svg"
# Shared, only the first's, only the second's: colours that are told apart without red or green (Okabe & Ito 2008), and
# dashes, for print.
_STROKES = {"shared": ("#1f4e9c", ""), "only A": ("#d55e00", "9 4"), "only B": ("#009e73", "2 4")}


def overlap_lines(found: Overlap, a: str, b: str) -> list[str]:
    graph, jaccard = found.a.graph, found.jaccard
    share = "" if jaccard is None else f", {jaccard:.0%} of those that either has (Jaccard)"
    return [
        f"A: {a}, {len(found.a):,} edges; B: {b}, {len(found.b):,} edges; of {graph.n_edges:,}",
        f"shared {len(found.shared):,}{share}; two random circuits of these sizes share {found.expected:,.1f}",
        f"only A {len(found.only_a):,}; only B {len(found.only_b):,}",
    ]


def layers_table(found: Overlap) -> Table:
    made = table("edges into", *_STROKES, numbers=tuple(_STROKES))
    for row in found.layers():
        name = "out" if row.layer is None else f"layer {row.layer}"
        made.add_row(name, *(f"{n:,}" for n in (row.shared, row.only_a, row.only_b)))
    return made


def crossed_table(judged: Sequence[Judged]) -> Table:
    """A row a circuit and task: under resampling, with all other edges cut; and in how many cells it is faithful."""
    numbers = ("edges", "KL, nats", "random", "margin recovered", "accuracy", "model")
    made = table("circuit", "on", *numbers, "faithful in", numbers=numbers)
    names = {"a": "A", "b": "B", "shared": "shared"}
    for row in judged:
        kl, margin, accuracy = (_cell(row.matrix, metric) for metric in ("kl", "recovered", "accuracy"))
        cells = row.matrix.cells
        made.add_row(
            names[row.which], row.task, f"{row.matrix.n_edges:,}",
            f"{kl.circuit.mean:.3f}", f"{kl.null.mean:.3f}", f"{margin.circuit.mean:.3f}",
            f"{accuracy.circuit.mean:.3f}", f"{accuracy.model:.3f}",
            f"{sum(c.supports for c in cells)} of {len(cells)} cells",
        )  # fmt: skip
    return made


def _cell(matrix: Matrix, metric: str) -> Cell:
    (found,) = (
        c for c in matrix.cells if (c.ablation, c.direction, c.metric) == ("resample", "kept", metric)
    )
    return found


# The picture ----------------------------------------------------------------------------------------------


def overlap_svg(found: Overlap, *, title: str) -> str:
    """The house's drawing of both circuits, each line in the colour and dash of whose it is, with a legend."""
    parts = {"shared": found.shared, "only A": found.only_a, "only B": found.only_b}
    whose = {str(edge): name for name, part in parts.items() for edge in part}
    drawing = Drawing(
        graph=found.a.graph,
        name="overlap",
        title=title,
        solid=tuple(found.shared),
        faint=(*found.only_a, *found.only_b),
        labels=_labels(parts),
    )
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg(drawing))
    for path in root.iter(f"{{{_SVG}}}path"):
        name = whose[path.findtext(f"{{{_SVG}}}title", "")]
        _stroke(path, name)
        path.set("class", name.replace(" ", "-"))
    _add_legend(root, {name: len(part) for name, part in parts.items()})
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _stroke(element: ElementTree.Element, name: str) -> None:
    colour, dash = _STROKES[name]
    element.set("stroke", colour)
    element.set("stroke-width", "2")
    if dash:
        element.set("stroke-dasharray", dash)


def _add_legend(root: ElementTree.Element, counts: dict[str, int]) -> None:
    x, y = MARGIN, MARGIN + 18
    for name, n in counts.items():
        line = ElementTree.SubElement(
            root, f"{{{_SVG}}}line", {"x1": str(x), "x2": str(x + 34), "y1": str(y - 4), "y2": str(y - 4)}
        )
        _stroke(line, name)
        text = ElementTree.SubElement(root, f"{{{_SVG}}}text", {"x": str(x + 40), "y": str(y)})
        text.text = f"{name}: {n:,}"
        x += 150


def _labels(parts: dict[str, Circuit]) -> dict[str, str]:
    """Of each component, how many of the edges that touch it are whose."""
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
