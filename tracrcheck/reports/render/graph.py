"""Draws circuits as SVG, for a file or inside a page, and as DOT."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from markupsafe import Markup

from edgeprune_core.graph import Edge, ResidualGraph
from tracrcheck.reports.picture import KINDS, Layer, Picture, node_of
from tracrcheck.reports.render.templates import templates

# Pixels.
BOX_HEIGHT, GAP_X, GAP_Y, MARGIN, LANE = 54, 70, 20, 20, 11
# Widths of boxes, and of a drawing that fits a page; and the room beside a label.
NARROWEST, USUAL, WIDEST, PAGE, BESIDE = 80, 190, 420, 1090, 26
# Characters by their width at the size of labels, at most: in DejaVu Sans, the widest of the usual fonts. Others are `WIDE`.
WIDTHS = {
    c: width
    for width, characters in {
        4.5: " !'(),-./:;I[\\]fijlrt|J",
        6.0: '"*?L_`csxyzv',
        7.1: "0123456789$EFPTYZabdeghknopqu{}S\u00df",
        9.3: "#&+<=>ABCDGHKNOQRUVX^w~",
    }.items()
    for c in characters
}
WIDE = 11.1
# Above this many solid edges, lines are thin and coloured by writer, so that they can be distinguished.
MANY = 60
MANY_ON_A_PAGE = 100
PORT_OFFSET = {"q": -12, "k": 0, "v": 12, "": 0}
Line = tuple[Edge, dict[str, str]]  # an edge and the attributes of its `path`


def columns(graph: ResidualGraph, edges: Sequence[Edge]) -> list[list[str]]:
    """Names of the components that some edge touches, by half-layer; `out` is always there."""
    touched = {str(e.writer) for e in edges} | {node_of(e.reader) for e in edges}
    every = [[str(w) for w in graph.writers[: graph.n_embeddings]]]
    for layer in range(graph.n_layers):
        every.append([f"a{layer}.h{h}" for h in range(graph.n_heads)])
        every.append([f"m{layer}"])
    kept = [[n for n in column if n in touched] for column in every]
    return [column for column in kept if column] + [["out"]]


# Layout ------------------------------------------------------------------------------------------------


class Box(NamedTuple):
    """A component. column: its place from the left. label: as much of it as fits in two lines."""

    x: int
    y: int
    width: int
    column: int
    label: list[str]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Positions in pixels. lanes: writer -> y of its lane."""

    width: int
    height: int
    boxes: Mapping[str, Box]
    lanes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, picture: Picture, *, above: int) -> Layout:
        """above: pixels reserved for a title."""
        names, labels = columns(picture.graph, picture.edges), picture.labels
        tallest = max(map(len, names))
        floor = MARGIN + above + tallest * (BOX_HEIGHT + GAP_Y)
        boxes, x = {}, MARGIN
        for place, (column, width) in enumerate(zip(names, _widths(names, labels), strict=True)):
            top = MARGIN + above + (tallest - len(column)) * (BOX_HEIGHT + GAP_Y) // 2
            for number, node in enumerate(column):
                label = _lines(labels.get(node, ""), width - BESIDE)
                boxes[node] = Box(x, top + number * (BOX_HEIGHT + GAP_Y), width, place, label)
            x += width + GAP_X
        far = {e.writer for e in picture.edges if _far(e, boxes)}
        writers = [str(w) for w in picture.graph.writers if w in far]
        lanes = {writer: floor + LANE * place for place, writer in enumerate(writers)}
        return cls(
            width=x - GAP_X + MARGIN, height=floor + LANE * len(lanes) + MARGIN, boxes=boxes, lanes=lanes
        )

    def curve(self, edge: Edge) -> str:
        """The `d` of a path: direct, or along the writer's lane below all boxes if there are boxes in between."""
        writer, reader = self.boxes[str(edge.writer)], self.boxes[node_of(edge.reader)]
        x1, y1 = writer.x + writer.width, writer.y + BOX_HEIGHT // 2
        x2, y2 = reader.x, reader.y + BOX_HEIGHT // 2 + PORT_OFFSET[edge.reader.port]
        if not _far(edge, self.boxes):
            bend = max(30, (x2 - x1) // 2)
            return f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"
        y, half = self.lanes[str(edge.writer)], GAP_X // 2
        return (
            f"M{x1},{y1} C{x1 + half},{y1} {x1 + half // 2},{y} {x1 + GAP_X},{y} "
            f"H{x2 - GAP_X} C{x2 - half // 2},{y} {x2 - half},{y2} {x2},{y2}"
        )


def _widths(names: Sequence[Sequence[str]], labels: Mapping[str, str]) -> list[int]:
    """Of each column: as its longest label needs, unless the drawing is then wider than a page. The widest columns are then
    narrowed, to no less than `USUAL`."""
    needs = [max(pixels(labels.get(node, "")) for node in column) + BESIDE for column in names]
    most = WIDEST
    room = PAGE - 2 * MARGIN - GAP_X * (len(names) - 1)
    while most > USUAL and sum(min(max(need, NARROWEST), most) for need in needs) > room:
        most -= 5
    return [math.ceil(min(max(need, NARROWEST), most)) for need in needs]


def pixels(text: str) -> float:
    """How wide a label is, at most."""
    return sum(WIDTHS.get(character, WIDE) for character in text)


def _lines(label: str, room: float) -> list[str]:
    """At most two lines of so many pixels. The first ends at a space, unless it were then less than half full."""
    if pixels(label) <= room:
        return [label]
    most = _fitting(label, room)
    at = label.rfind(" ", most // 2, most + 1)
    first, rest = (label[:most], label[most:]) if at < 0 else (label[:at], label[at + 1 :])
    return [first, rest if pixels(rest) <= room else rest[: _fitting(rest, room - WIDE)] + "…"]


def _fitting(text: str, room: float) -> int:
    """How many of its first characters fit into so many pixels."""
    return sum(end <= room for end in itertools.accumulate(map(pixels, text)))


def _far(edge: Edge, boxes: Mapping[str, Box]) -> bool:
    """Whether an edge spans more than one column."""
    return boxes[node_of(edge.reader)].column - boxes[str(edge.writer)].column > 1


# SVG ---------------------------------------------------------------------------------------------------


def _svg(picture: Picture, lines: Sequence[Line], **more: Any) -> Markup:
    """Draws boxes and lines; later lines lie on top."""
    layout = Layout.of(picture, above=30 if "title" in more else 0)
    template = templates().get_template("circuit.svg")
    return Markup(
        template.render(
            lines=lines, layout=layout, labels=picture.labels, height=BOX_HEIGHT, margin=MARGIN, **more
        )
    )


def svg(picture: Picture, *, title: str, legend: bool = False) -> str:
    """An SVG file of the picture's first layer, with a title. legend: a line that counts the edges of each kind."""
    kinds = picture.layers[0].kinds
    colours = _colours(picture)
    lines = []
    for kind, stroke in KINDS.items():
        thin = "1.0" if colours else stroke.width
        for edge in (edge for edge in picture.edges if kinds[edge] == kind):
            look = {
                "class": kind.replace(" ", "-"),
                "fill": "none",
                "stroke": colours.get(str(edge.writer), stroke.colour),
            }
            dash = {"stroke-dasharray": stroke.dash} if stroke.dash else {}
            lines.append((edge, {**look, "stroke-width": thin, **dash}))
    counts = [
        (kind, KINDS[kind], list(kinds.values()).count(kind))
        for kind in reversed(KINDS)
        if kind in kinds.values()
    ]
    return _svg(picture, lines, title=title, legend=counts if legend else [])


def _colours(picture: Picture) -> dict[str, str]:
    """Writer -> colour, with neighbours far apart on the colour wheel; empty if there are few edges."""
    solid = [edge for edge, kind in picture.layers[0].kinds.items() if kind in ("required", "found")]
    if len(solid) <= MANY:
        return {}
    writers = sorted({edge.writer for edge in solid}, key=lambda writer: writer.index)
    return {str(w): f"hsl({137.5 * place % 360:.0f},65%,40%)" for place, w in enumerate(writers)}


def page_svg(picture: Picture, shown: int) -> Markup:
    """For a page, whose style sheet colours the lines and whose script switches layers. shown: number of the first layer."""
    order = "o" + "".join(stroke.letter for stroke in KINDS.values())
    lines = []
    for number, edge in enumerate(picture.edges):
        kinds = "".join(_letter(layer, edge) for layer in picture.layers)
        every = {"data-k": kinds} if len(kinds) > 1 else {}
        lines.append((edge, {"class": kinds[shown], "data-e": str(number), **every}))
    lines.sort(key=lambda line: order.index(line[1]["class"]))
    what = f"Circuit of {picture.name}: {len(lines)} edges, listed in the table below"
    many = {"class": "many"} if len(lines) > MANY_ON_A_PAGE else {}
    return _svg(picture, lines, attributes={"role": "img", "aria-label": what, **many})


def _letter(layer: Layer, edge: Edge) -> str:
    kind = layer.kinds.get(edge)
    return "o" if kind is None else KINDS[kind].letter


# DOT ---------------------------------------------------------------------------------------------------


def dot(picture: Picture, *, title: str) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [
        f"digraph {quoted(picture.name)} {{",
        "  rankdir=LR;",
        "  node [shape=box];",
        f"  label={quoted(title)};",
    ]
    for column in columns(picture.graph, picture.edges):
        lines.append("  { rank=same; " + "; ".join(map(quoted, column)) + "; }")
        for node in column:
            label = quoted(f"{node}\n{picture.labels.get(node, '')}".rstrip()).replace("\n", "\\n")
            lines.append(f"  {quoted(node)} [label={label}];")
    for edge in picture.edges:
        style = ", color=gray80" if picture.layers[0].kinds[edge] == "permitted" else ""
        ends = f"{quoted(str(edge.writer))} -> {quoted(node_of(edge.reader))}"
        lines.append(f"  {ends} [headlabel={quoted(edge.reader.port)}{style}];")
    return "\n".join([*lines, "}", ""])
