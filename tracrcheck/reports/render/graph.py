"""Draws circuits as SVG, for a file or inside a page, and as DOT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge, ResidualGraph
from tracrcheck.reports.picture import KINDS, Layer, Picture, counts_of, node_of
from tracrcheck.reports.render.html.markup import fill, joined

# Pixels.
BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, MARGIN, LANE = 190, 44, 70, 26, 20, 11
# Above this many solid edges, lines are thin and coloured by writer, so that they can be told apart.
MANY = 60
MANY_ON_A_PAGE = 100
LABEL = 28  # characters of a label that fit a box
PORT_OFFSET = {"q": -12, "k": 0, "v": 12, "": 0}

# Other colours for readers who prefer dark pages.
DARK = Markup("""<style>
@media (prefers-color-scheme: dark) {
rect[fill="white"] { fill: #0d1117 }
rect[fill="#f5f7fa"] { fill: #1c2430; stroke: #8b949e }
text { fill: #e6edf3 }
path[stroke="#c8ccd2"] { stroke: #4a525d }
path[stroke="#1f4e9c"] { stroke: #6cb0ff }
}
</style>""")
# Shared by two circuits, only in the first, only in the second: colours that can be told apart without red or green (Okabe
# and Ito 2008), and dashes, for print.
OVERLAP = {"shared": ("#1f4e9c", ""), "only A": ("#d55e00", "9 4"), "only B": ("#009e73", "2 4")}


@dataclass(frozen=True)
class Line:
    """An edge and the attributes of its `path`."""

    edge: Edge
    attributes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """name: of the DOT graph. title: a line above. solid, faint: edges. labels: component -> the text in its box."""

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


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Positions in pixels. at: component -> left and top of its box. lanes: writer -> y of its lane."""

    width: int
    height: int
    at: Mapping[str, tuple[int, int]]
    lanes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: ResidualGraph, edges: Sequence[Edge], *, above: int) -> Layout:
        """above: pixels reserved for a title."""
        names = columns(graph, edges)
        tallest = max(map(len, names))
        floor = MARGIN + above + tallest * (BOX_HEIGHT + GAP_Y)
        at = {}
        for x, column in enumerate(names):
            top = MARGIN + above + (tallest - len(column)) * (BOX_HEIGHT + GAP_Y) // 2
            for y, node in enumerate(column):
                at[node] = (MARGIN + x * (BOX_WIDTH + GAP_X), top + y * (BOX_HEIGHT + GAP_Y))
        far = {e.writer for e in edges if _far(e, at)}
        lanes = {str(w): floor + LANE * place for place, w in enumerate(w for w in graph.writers if w in far)}
        return cls(
            width=MARGIN * 2 + len(names) * (BOX_WIDTH + GAP_X) - GAP_X,
            height=floor + LANE * len(lanes) + MARGIN,
            at=at,
            lanes=lanes,
        )

    def curve(self, edge: Edge) -> str:
        """The `d` of a path: direct, or along the writer's lane below all boxes if there are boxes in between."""
        x1, y1 = self.at[str(edge.writer)]
        x2, y2 = self.at[node_of(edge.reader)]
        x1, y1 = x1 + BOX_WIDTH, y1 + BOX_HEIGHT // 2
        y2 += BOX_HEIGHT // 2 + PORT_OFFSET[edge.reader.port]
        if not _far(edge, self.at):
            bend = max(30, (x2 - x1) // 2)
            return f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"
        y, half = self.lanes[str(edge.writer)], GAP_X // 2
        return (
            f"M{x1},{y1} C{x1 + half},{y1} {x1 + half // 2},{y} {x1 + GAP_X},{y} "
            f"H{x2 - GAP_X} C{x2 - half // 2},{y} {x2 - half},{y2} {x2},{y2}"
        )


def _far(edge: Edge, at: Mapping[str, tuple[int, int]]) -> bool:
    """Whether an edge spans more than one column."""
    return at[node_of(edge.reader)][0] - at[str(edge.writer)][0] > BOX_WIDTH + GAP_X


# SVG ---------------------------------------------------------------------------------------------------


def _svg(
    graph: ResidualGraph, lines: Sequence[Line], labels: Mapping[str, str], *, file_title: str = "",
    legend: Sequence[Markup] = (), attributes: Mapping[str, str] = {},
) -> Markup:  # fmt: skip
    """Draws boxes and lines; later lines lie on top. file_title: for a file of its own, with a background and named lines."""
    placed = Layout.of(graph, [line.edge for line in lines], above=30 if file_title else 0)
    width, height = placed.width, placed.height
    ground: list[Markup] = []
    if file_title:
        attributes = {"xmlns": "http://www.w3.org/2000/svg", "font-family": "sans-serif", "font-size": "11"}
        ground = [
            DARK,
            fill("<title>{}</title>", file_title),
            fill('<rect width="{}" height="{}" fill="white"/>', width, height),
            fill('<text x="{}" y="{}" font-size="13">{}</text>', MARGIN, MARGIN, file_title),
        ]
    paths = [_path(line, placed, named=bool(file_title)) for line in lines]
    boxes = [_box(node, labels.get(node, ""), *place) for node, place in placed.at.items()]
    head = fill('width="{}" height="{}" viewBox="0 0 {} {}"', width, height, width, height)
    inside = joined([*ground, *paths, *boxes, *legend], "\n")
    return fill("<svg {}{}>\n{}\n</svg>", head, _attributes(attributes), inside)


def _attributes(attributes: Mapping[str, str]) -> Markup:
    return joined([fill(' {}="{}"', name, value) for name, value in attributes.items()])


def _path(line: Line, placed: Layout, *, named: bool) -> Markup:
    head = fill('<path{} d="{}"', _attributes(line.attributes), placed.curve(line.edge))
    return fill("{}><title>{}</title></path>", head, line.edge) if named else fill("{}/>", head)


def _box(node: str, label: str, x: int, y: int) -> Markup:
    """A component: its name, what it computes, and the ports of a head."""
    head = node.startswith("a")
    left = x + (16 if head else 8)
    ports = [(y + 13, "q"), (y + 25, "k"), (y + 37, "v")] if head else []
    marks = [
        fill('<text class="t" x="{}" y="{}" font-size="9">{}</text>', x + 4, at, port) for at, port in ports
    ]
    short = label if len(label) <= LABEL else label[: LABEL - 1] + "…"
    hover = fill("<title>{}: {}</title>", node, label) if label else ""
    rect = fill('<rect x="{}" y="{}" width="{}" height="{}"', x, y, BOX_WIDTH, BOX_HEIGHT)
    name = fill('<text x="{}" y="{}" class="b" font-weight="bold">{}</text>', left, y + 18, node)
    what = fill('<text x="{}" y="{}">{}</text>', left, y + 34, short)
    return fill(
        '<g>{}{} rx="5" fill="#f5f7fa" stroke="#5a6472"/>{}{}{}</g>', hover, rect, joined(marks), name, what
    )


def _stroke(colour: str, width: str, dash: str = "", **more: str) -> dict[str, str]:
    dashes = {"stroke-dasharray": dash} if dash else {}
    return {"fill": "none", "stroke": colour, "stroke-width": width, **dashes, **more}


# Files ---------------------------------------------------------------------------------------------------


def svg(drawing: Drawing) -> str:
    """An SVG file: faint edges below solid ones."""
    colours = _colours(drawing)
    width = "1.0" if colours else "2.0"
    lines = [Line(e, _stroke("#c8ccd2", "1.0")) for e in drawing.faint]
    lines += [Line(e, _stroke(colours.get(str(e.writer), "#1f4e9c"), width)) for e in drawing.solid]
    return _svg(drawing.graph, lines, drawing.labels, file_title=drawing.title) + "\n"


def _colours(drawing: Drawing) -> dict[str, str]:
    """Writer -> colour, with neighbours far apart on the colour wheel; empty if there are few edges."""
    if len(drawing.solid) <= MANY:
        return {}
    writers = sorted({e.writer for e in drawing.solid}, key=lambda writer: writer.index)
    return {str(w): f"hsl({137.5 * place % 360:.0f},65%,40%)" for place, w in enumerate(writers)}


def circuit_svg(circuit: Circuit, *, name: str, title: str) -> str:
    """An SVG file of a circuit; each component is labelled with its number of reads and writes."""
    return svg(
        Drawing(graph=circuit.graph, name=name, title=title, solid=tuple(circuit), labels=counts_of(circuit))
    )


def overlap_svg(parts: Mapping[str, Circuit], labels: Mapping[str, str], *, title: str) -> str:
    """An SVG file of two circuits. parts: name in `OVERLAP` -> edges."""
    lines, legend = [], []
    x, y = MARGIN, MARGIN + 18
    for name in reversed(OVERLAP):
        colour, dash = OVERLAP[name]
        lines += [
            Line(e, _stroke(colour, "2", dash, **{"class": name.replace(" ", "-")})) for e in parts[name]
        ]
    for name, (colour, dash) in OVERLAP.items():
        ends = {"x1": str(x), "x2": str(x + 34), "y1": str(y - 4), "y2": str(y - 4)}
        legend.append(fill("<line{}/>", _attributes({**ends, **_stroke(colour, "2", dash)})))
        legend.append(fill('<text x="{}" y="{}">{}: {}</text>', x + 40, y, name, f"{len(parts[name]):,}"))
        x += 150
    return _svg(parts["shared"].graph, lines, labels, file_title=title, legend=legend) + "\n"


# On a page -------------------------------------------------------------------------------------------------


def page_svg(picture: Picture, shown: int) -> Markup:
    """For a page, whose style sheet colours the lines and whose script switches layers. shown: number of the first layer."""
    edges, labels = picture.edges, picture.labels
    number = {edge: n for n, edge in enumerate(edges)}
    order = "o" + "".join(KINDS.values())
    lines = []
    for edge in edges:
        kinds = "".join(_letter(layer, edge) for layer in picture.layers)
        every = {"data-k": kinds} if len(kinds) > 1 else {}
        lines.append(Line(edge, {"class": kinds[shown], "data-e": str(number[edge]), **every}))
    lines.sort(key=lambda line: order.index(line.attributes["class"]))
    what = f"Circuit of {picture.name}: {len(edges)} edges, listed in the table below"
    many = {"class": "many"} if len(edges) > MANY_ON_A_PAGE else {}
    return _svg(picture.graph, lines, labels, attributes={"role": "img", "aria-label": what, **many})


def _letter(layer: Layer, edge: Edge) -> str:
    kind = layer.kinds.get(edge)
    return "o" if kind is None else KINDS[kind]


# DOT ---------------------------------------------------------------------------------------------------


def dot(drawing: Drawing) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [f"digraph {quoted(drawing.name)} {{", "  rankdir=LR;", "  node [shape=box];"]
    lines.append(f"  label={quoted(drawing.title)};")
    for column in columns(drawing.graph, drawing.edges):
        lines.append("  { rank=same; " + "; ".join(map(quoted, column)) + "; }")
        for node in column:
            label = quoted(f"{node}\n{drawing.labels.get(node, '')}".rstrip()).replace("\n", "\\n")
            lines.append(f"  {quoted(node)} [label={label}];")
    for edge in drawing.edges:
        style = ", color=gray80" if edge in drawing.faint else ""
        ends = f"{quoted(str(edge.writer))} -> {quoted(node_of(edge.reader))}"
        lines.append(f"  {ends} [headlabel={quoted(edge.reader.port)}{style}];")
    return "\n".join([*lines, "}", ""])
