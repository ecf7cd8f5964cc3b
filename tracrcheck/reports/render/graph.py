"""Edges of a graph, drawn: SVG or DOT text. Layers run from left to right; components that no edge touches are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from edgeprune_core.graph import Edge, Reader, ResidualGraph

# Pixels.
BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, MARGIN, LANE = 190, 44, 70, 26, 20, 11
# Solid edges, beyond which lines are thin, and of a colour of their writer's own: else they run into one another.
MANY = 60
LABEL = 28  # characters of a label that fit a box
PORT_OFFSET = {"q": -12, "k": 0, "v": 12, "": 0}

# Other colours where a reader prefers dark pages. Styles go before the attributes that say the colours of light ones.
DARK = """<style>
@media (prefers-color-scheme: dark) {
rect[fill="white"] { fill: #0d1117 }
rect[fill="#f5f7fa"] { fill: #1c2430; stroke: #8b949e }
text { fill: #e6edf3 }
path[stroke="#c8ccd2"] { stroke: #4a525d }
path[stroke="#1f4e9c"] { stroke: #6cb0ff }
}
</style>"""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """name: of the DOT graph. title: a line above. solid, faint: edges. labels: component -> what stands in its box."""

    graph: ResidualGraph
    name: str
    title: str
    solid: tuple[Edge, ...]
    faint: tuple[Edge, ...] = ()
    labels: Mapping[str, str]

    @property
    def edges(self) -> tuple[Edge, ...]:
        """In the order of the graph."""
        return tuple(sorted((*self.solid, *self.faint)))

    def columns(self) -> list[list[str]]:
        """Names of the components that some edge touches, by half-layer; `out` is always there."""
        touched = {str(e.writer) for e in self.edges} | {node_of(e.reader) for e in self.edges}
        graph = self.graph
        columns = [[str(w) for w in graph.writers[: graph.n_embeddings]]]
        for layer in range(graph.n_layers):
            columns.append([f"a{layer}.h{h}" for h in range(graph.n_heads)])
            columns.append([f"m{layer}"])
        kept = [[n for n in column if n in touched] for column in columns]
        return [column for column in kept if column] + [["out"]]


def node_of(reader: Reader) -> str:
    """The component that reads."""
    return str(reader).rsplit(".", 1)[0] if reader.port else str(reader)


# SVG ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where everything stands, in pixels. at: component -> left and top of its box. lanes: writer -> height of its lane."""

    width: int
    height: int
    at: Mapping[str, tuple[int, int]]
    lanes: Mapping[str, int]

    def curve(self, edge: Edge) -> str:
        """The path of an edge, as the `d` of SVG: straight there, or by its writer's lane where boxes stand between."""
        x1, y1 = self.at[str(edge.writer)]
        x2, y2 = self.at[node_of(edge.reader)]
        x1, y1, y2 = (
            x1 + BOX_WIDTH,
            y1 + BOX_HEIGHT // 2,
            y2 + BOX_HEIGHT // 2 + PORT_OFFSET[edge.reader.port],
        )
        if not _far(edge, self.at):
            bend = max(30, (x2 - x1) // 2)
            return f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"
        y, half = self.lanes[str(edge.writer)], GAP_X // 2
        return (
            f"M{x1},{y1} C{x1 + half},{y1} {x1 + half // 2},{y} {x1 + GAP_X},{y} "
            f"H{x2 - GAP_X} C{x2 - half // 2},{y} {x2 - half},{y2} {x2},{y2}"
        )


def layout(drawing: Drawing, *, above: int = 0) -> Layout:
    """above: pixels left free for a title."""
    columns = drawing.columns()
    tallest = max(map(len, columns))
    floor = MARGIN + above + tallest * (BOX_HEIGHT + GAP_Y)
    at = {}
    for x, column in enumerate(columns):
        top = MARGIN + above + (tallest - len(column)) * (BOX_HEIGHT + GAP_Y) // 2
        for y, node in enumerate(column):
            at[node] = (MARGIN + x * (BOX_WIDTH + GAP_X), top + y * (BOX_HEIGHT + GAP_Y))
    lanes = _lanes(drawing, at, floor)
    return Layout(
        width=MARGIN * 2 + len(columns) * (BOX_WIDTH + GAP_X) - GAP_X,
        height=floor + LANE * len(lanes) + MARGIN,
        at=at,
        lanes=lanes,
    )


def svg(drawing: Drawing) -> str:
    placed = layout(drawing, above=30)
    width, height = placed.width, placed.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        DARK,
        f"<title>{escape(drawing.title)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{MARGIN}" y="{MARGIN}" font-size="13">{escape(drawing.title)}</text>',
    ]
    parts += [_line(e, placed, "#c8ccd2", 1.0) for e in drawing.faint]
    colours = _colours(drawing)
    stroke = 1.0 if colours else 2.0
    parts += [_line(e, placed, colours.get(str(e.writer), "#1f4e9c"), stroke) for e in drawing.solid]
    parts += [_box(node, drawing.labels.get(node, ""), *place) for node, place in placed.at.items()]
    return "\n".join([*parts, "</svg>", ""])


def _colours(drawing: Drawing) -> dict[str, str]:
    """Writer -> colour, neighbours far apart on the wheel; nothing where there are few edges."""
    if len(drawing.solid) <= MANY:
        return {}
    writers = sorted({e.writer for e in drawing.solid}, key=lambda writer: writer.index)
    return {str(w): f"hsl({137.5 * place % 360:.0f},65%,40%)" for place, w in enumerate(writers)}


def _far(edge: Edge, at: Mapping[str, tuple[int, int]]) -> bool:
    """Whether an edge passes a column in between."""
    return at[node_of(edge.reader)][0] - at[str(edge.writer)][0] > BOX_WIDTH + GAP_X


def _lanes(drawing: Drawing, at: Mapping[str, tuple[int, int]], floor: int) -> dict[str, int]:
    """A height below all boxes for each writer with far readers: its edges run there, behind no box."""
    far = [str(w) for w in drawing.graph.writers if any(e.writer == w and _far(e, at) for e in drawing.edges)]
    return {name: floor + LANE * place for place, name in enumerate(far)}


def _line(edge: Edge, placed: Layout, colour: str, width: float) -> str:
    return (
        f'<path d="{placed.curve(edge)}" fill="none" '
        f'stroke="{colour}" stroke-width="{width}"><title>{escape(str(edge))}</title></path>'
    )


def short(label: str) -> str:
    """As much of a label as fits a box."""
    return label if len(label) <= LABEL else label[: LABEL - 1] + "…"


def _box(node: str, label: str, x: int, y: int) -> str:
    return (
        f"<g><title>{escape(node)}: {escape(label)}</title>"
        f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5" fill="#f5f7fa" stroke="#5a6472"/>'
        f'<text x="{x + 8}" y="{y + 17}" font-weight="bold">{escape(node)}</text>'
        f'<text x="{x + 8}" y="{y + 34}">{escape(short(label))}</text></g>'
    )


# DOT ---------------------------------------------------------------------------------------------------


def dot(drawing: Drawing) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [f"digraph {quoted(drawing.name)} {{", "  rankdir=LR;", "  node [shape=box];"]
    lines.append(f"  label={quoted(drawing.title)};")
    for column in drawing.columns():
        lines.append("  { rank=same; " + "; ".join(map(quoted, column)) + "; }")
        for node in column:
            label = quoted(f"{node}\n{drawing.labels.get(node, '')}".rstrip()).replace("\n", "\\n")
            lines.append(f"  {quoted(node)} [label={label}];")
    for edge in drawing.edges:
        style = ", color=gray80" if edge in drawing.faint else ""
        ends = f"{quoted(str(edge.writer))} -> {quoted(node_of(edge.reader))}"
        lines.append(f"  {ends} [headlabel={quoted(edge.reader.port)}{style}];")
    return "\n".join([*lines, "}", ""])
