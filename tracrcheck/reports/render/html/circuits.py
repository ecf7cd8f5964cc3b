"""A circuit as a figure: a drawing, and a table of the same edges with what they carry and what they weigh.

A picture has layers, one for each setting (or method, or file) that is shown of one graph; a reader chooses among them,
and components keep their places. Colour is never the only sign: each kind of edge has its own stroke and its word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from edgeprune_core.graph import Edge, ResidualGraph
from tracrcheck.reports.render.graph import Drawing, Layout, layout, node_of, short
from tracrcheck.reports.render.html.elements import Child, Html, anchor, joined, tag, text

Kind = Literal["required", "missing", "extra", "permitted", "found"]

# Drawn from the first to the last, so that what is wrong lies on top. The letter stands for the kind in a path.
KINDS: dict[Kind, str] = {"permitted": "p", "found": "f", "required": "r", "extra": "x", "missing": "m"}
LEGEND: dict[Kind, str] = {
    "required": "required",
    "missing": "required, and missing",
    "extra": "surplus",
    "permitted": "can carry something, by the weights",
    "found": "found",
}
# Edges that are surplus or only permitted, of one picture; all others are always drawn.
MOST = 300
# Edges from which strokes are thin.
MANY = 100


@dataclass(frozen=True, kw_only=True)
class Layer:
    """kinds: what each edge is here. notes: what speaks for it, in words. fact: the outcome, in a few words.
    more: edges that are surplus too and are not given."""

    name: str
    kinds: Mapping[Edge, Kind]
    notes: Mapping[Edge, str] = field(default_factory=dict)
    fact: str = ""
    more: int = 0

    @property
    def wrong(self) -> bool:
        return any(kind in ("missing", "extra") for kind in self.kinds.values())


@dataclass(frozen=True, kw_only=True)
class Picture:
    """name: of what is drawn, distinct on a page. labels: component -> what it computes, empty where that is unknown.
    explained: how the notes are to be read."""

    name: str
    graph: ResidualGraph
    labels: Mapping[str, str]
    layers: tuple[Layer, ...]
    explained: str = ""

    @property
    def edges(self) -> list[Edge]:
        """Of all layers, in the order of the graph."""
        return sorted({edge for layer in self.layers for edge in layer.kinds})

    def cut_to(self, most: int) -> Picture:
        """With at most so many edges that no layer requires; what is left out is counted."""
        loose: dict[Edge, None] = {}
        for kind in ("extra", "permitted"):
            loose |= {e: None for layer in self.layers for e, k in layer.kinds.items() if k == kind}
        firm = {
            e
            for layer in self.layers
            for e, k in layer.kinds.items()
            if k in ("required", "missing", "found")
        }
        over = set([e for e in loose if e not in firm][most:])
        if not over:
            return self
        layers = []
        for layer in self.layers:
            kept = {e: k for e, k in layer.kinds.items() if e not in over}
            more = layer.more + sum(k == "extra" for e, k in layer.kinds.items() if e in over)
            layers.append(replace(layer, kinds=kept, more=more))
        return replace(self, layers=tuple(layers))


def circuit_figure(picture: Picture, *, most: int = MOST) -> Html:
    """The choice of a layer, the drawing, its legend, and the table of its edges."""
    picture = picture.cut_to(most)
    edges = picture.edges
    shown = next((n for n, layer in enumerate(picture.layers) if layer.wrong), 0)
    if not edges:
        return tag(
            "figure",
            _choice(picture, shown),
            tag("p", "No edge is required, and none was found."),
            class_="circuit",
        )
    return tag(
        "figure",
        _choice(picture, shown),
        tag("div", _svg(picture, edges, shown), class_="scroll", tabindex="0", role="region",
            aria_label=f"Drawing of {picture.name}"),
        tag("button", "Fit to the width", type="button", class_="fit", hidden=True, aria_pressed="false"),
        tag("p", "Point at an edge, or tap it, to read what it carries.", class_="hint", role="status", hidden=True),
        _legend(picture),
        _more(picture),
        tag("details", tag("summary", f"{len(edges)} edges, what they carry and what they weigh"),
            _table(picture, edges), tag("p", picture.explained, class_="note"), class_="edges"),
        class_="circuit",
    )  # fmt: skip


def _choice(picture: Picture, shown: int) -> Html:
    """Radio buttons where there are several layers; what came of each beside its name."""
    rows = []
    for number, layer in enumerate(picture.layers):
        fact = f": {layer.fact}" if layer.fact else ""
        button = tag(
            "input",
            type="radio",
            name=anchor(picture.name, "layer"),
            value=number,
            checked=number == shown,
            hidden=len(picture.layers) < 2,
        )
        rows.append(tag("label", button, tag("b", layer.name), fact))
    return tag("fieldset", tag("legend", f"{picture.name} under", class_="unseen"), *rows, class_="layers")


# The drawing -------------------------------------------------------------------------------------------


def _svg(picture: Picture, edges: list[Edge], shown: int) -> Html:
    drawing = Drawing(
        graph=picture.graph, name=picture.name, title=picture.name, solid=tuple(edges), labels=picture.labels
    )
    placed = layout(drawing)
    number = {edge: n for n, edge in enumerate(edges)}
    paths = [
        _path(edge, number[edge], placed, picture, shown)
        for edge in sorted(edges, key=_height(picture, shown))
    ]
    boxes = [_box(node, picture.labels.get(node, ""), *at) for node, at in placed.at.items()]
    what = f"Circuit of {picture.name}: {len(edges)} edges, listed in the table below"
    many = ' class="many"' if len(edges) > MANY else ""
    return Html(
        f'<svg{many} role="img" aria-label="{text(what)}" width="{placed.width}" height="{placed.height}" '
        f'viewBox="0 0 {placed.width} {placed.height}">{"".join(paths)}{"".join(boxes)}</svg>'
    )


def _height(picture: Picture, shown: int) -> Callable[[Edge], int]:
    """How far up an edge is drawn."""
    order: list[Kind] = list(KINDS)
    first = picture.layers[shown].kinds

    def of(edge: Edge) -> int:
        kind = first.get(edge)
        return -1 if kind is None else order.index(kind)

    return of


def _path(edge: Edge, number: int, placed: Layout, picture: Picture, shown: int) -> str:
    kinds = "".join(_letter(layer, edge) for layer in picture.layers)
    every = f' data-k="{kinds}"' if len(kinds) > 1 else ""
    return f'<path class="{kinds[shown]}" data-e="{number}"{every} d="{placed.curve(edge)}"/>'


def _letter(layer: Layer, edge: Edge) -> str:
    kind = layer.kinds.get(edge)
    return "o" if kind is None else KINDS[kind]


def _box(node: str, label: str, x: int, y: int) -> str:
    """A component: its name, what it computes, and where a head's inputs arrive."""
    head = node.startswith("a")
    ports = '<text class="t" x="4" y="13">q</text><text class="t" x="4" y="25">k</text><text class="t" x="4" y="37">v</text>'
    left = 16 if head else 8
    hover = f"<title>{text(node)}: {text(label)}</title>" if label else ""
    return (
        f'<g transform="translate({x},{y})">{hover}<rect/>{ports if head else ""}'
        f'<text x="{left}" y="18" class="b">{text(node)}</text>'
        f'<text x="{left}" y="34">{text(short(label))}</text></g>'
    )


# Beside it ---------------------------------------------------------------------------------------------


def _legend(picture: Picture) -> Html:
    there = {kind for layer in picture.layers for kind in layer.kinds.values()}
    items = [
        tag("li", tag("i", class_=KINDS[kind]), words) for kind, words in LEGEND.items() if kind in there
    ]
    return tag("ul", *items, class_="legend", aria_label="What the strokes mean")


def _more(picture: Picture) -> Html:
    notes = [
        f"{layer.name}: {layer.more:,} more surplus edges, not drawn"
        for layer in picture.layers
        if layer.more
    ]
    return joined(tag("p", note, class_="note") for note in notes)


def _table(picture: Picture, edges: list[Edge]) -> Html:
    names = "".join(f'<th scope="col">{text(layer.name)}' for layer in picture.layers)
    carrying = any(picture.labels.values())
    carried = '<th scope="col">carries' if carrying else ""
    head = f'<tr><th scope="col">edge{carried}{names}'
    rows = []
    for edge in edges:
        cells: list[Child] = [_carries(picture, edge)] if carrying else []
        cells += [_note(layer, edge) for layer in picture.layers]
        rows.append(f"<tr><th scope=row>{text(str(edge))}" + "".join(f"<td>{text(cell)}" for cell in cells))
    body = "\n".join(rows)
    table = Html(f"<table><thead>{head}</thead>\n<tbody>{body}</tbody></table>")
    return tag(
        "div", table, class_="scroll", tabindex="0", role="region", aria_label=f"Edges of {picture.name}"
    )


def _carries(picture: Picture, edge: Edge) -> str:
    into = node_of(edge.reader)
    reader = "the output" if into == "out" else picture.labels.get(into, "") or into
    return f"{picture.labels.get(str(edge.writer), '') or edge.writer}, into {reader}"


def _note(layer: Layer, edge: Edge) -> Child:
    kind = layer.kinds.get(edge)
    if kind is None:
        return "–"
    note = layer.notes.get(edge, "")
    return joined((tag("b", LEGEND[kind], class_=KINDS[kind]), f"; {note}" if note else None))
