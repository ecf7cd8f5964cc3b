"""The circuit of a certificate, drawn: SVG, HTML or DOT text, and a tree for the terminal.

Layers run from left to right; required edges are solid, permitted ones faint; every component is labelled with
the RASP expression it computes. Components that no permitted edge touches are left out.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from rich.tree import Tree

from edgeprune_core.errors import CheckError
from edgeprune_core.graph import Edge, Reader
from tracrcheck.certificate import Certificate
from tracrcheck.compile import Compiled
from tracrcheck.reports.text import computes

# Pixels.
BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, MARGIN, LANE = 190, 44, 70, 26, 20, 11
LABEL = 28  # characters of an expression that fit a box
PORT_OFFSET = {"q": -12, "k": 0, "v": 12, "": 0}


def draw(compiled: Compiled, certificate: Certificate, kind: str) -> str:
    """Text of a picture; `kind` is a file's suffix. Errors: TC123."""
    match kind:
        case ".svg":
            return svg(compiled, certificate)
        case ".html":
            return html(compiled, certificate)
        case ".dot":
            return dot(compiled, certificate)
    raise CheckError(
        "TC123", f"no picture of kind '{kind}'", where="--out", got=kind, wanted=".svg, .html or .dot"
    )


def kind_of(path: Path) -> str:
    if path.suffix not in (".svg", ".html", ".dot"):
        raise CheckError(
            "TC123",
            f"no picture of kind '{path.suffix}'",
            where="--out",
            got=str(path),
            wanted=".svg, .html or .dot",
        )
    return path.suffix


# Nodes -------------------------------------------------------------------------------------------------


def _node_of(compiled: Compiled, reader: Reader) -> str:
    return str(reader).rsplit(".", 1)[0] if reader.port else str(reader)


def _columns(compiled: Compiled, certificate: Certificate) -> list[list[str]]:
    """Names of the components that some permitted edge touches, by half-layer."""
    touched = {str(e.writer) for e in certificate.permitted}
    touched |= {_node_of(compiled, e.reader) for e in certificate.permitted}
    graph = compiled.graph
    columns = [[str(w) for w in graph.writers[: graph.n_embeddings]]]
    for layer in range(graph.n_layers):
        columns.append([f"a{layer}.h{h}" for h in range(graph.n_heads)])
        columns.append([f"m{layer}"])
    kept = [[n for n in column if n in touched] for column in columns]
    return [column for column in kept if column] + [["out"]]


def _label(compiled: Compiled, node: str) -> str:
    return "the output" if node == "out" else computes(compiled, node)


def _title(certificate: Certificate) -> str:
    s = certificate.setting
    return (
        f"{certificate.program}: {s.ablation} ablation, criterion {s.criterion}; "
        f"{len(certificate.required)} required of {len(certificate.permitted)} permitted edges; "
        f"proved: {', '.join(certificate.proved) or 'nothing'}"
    )


# SVG and HTML ------------------------------------------------------------------------------------------


def svg(compiled: Compiled, certificate: Certificate) -> str:
    columns = _columns(compiled, certificate)
    tallest = max(map(len, columns))
    floor = MARGIN + 30 + tallest * (BOX_HEIGHT + GAP_Y)
    width = MARGIN * 2 + len(columns) * (BOX_WIDTH + GAP_X) - GAP_X
    at = {}
    for x, column in enumerate(columns):
        top = MARGIN + 30 + (tallest - len(column)) * (BOX_HEIGHT + GAP_Y) // 2
        for y, node in enumerate(column):
            at[node] = (MARGIN + x * (BOX_WIDTH + GAP_X), top + y * (BOX_HEIGHT + GAP_Y))
    lanes = _lanes(compiled, certificate, at, floor)
    height = floor + LANE * len(lanes) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        f"<title>{escape(_title(certificate))}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{MARGIN}" y="{MARGIN}" font-size="13">{escape(_title(certificate))}</text>',
    ]
    faint = [e for e in certificate.permitted if e not in certificate.required]
    parts += [_line(compiled, e, at, lanes, "#c8ccd2", 1.0) for e in faint]
    parts += [_line(compiled, e, at, lanes, "#1f4e9c", 2.0) for e in certificate.required]
    parts += [_box(compiled, node, *place) for node, place in at.items()]
    return "\n".join([*parts, "</svg>", ""])


def _far(compiled: Compiled, edge: Edge, at: dict[str, tuple[int, int]]) -> bool:
    """Whether an edge passes a column in between."""
    return at[_node_of(compiled, edge.reader)][0] - at[str(edge.writer)][0] > BOX_WIDTH + GAP_X


def _lanes(
    compiled: Compiled, certificate: Certificate, at: dict[str, tuple[int, int]], floor: int
) -> dict[str, int]:
    """A height below all boxes for each writer with far readers: its edges run there, behind no box."""
    far = [
        str(w)
        for w in compiled.graph.writers
        if any(e.writer == w and _far(compiled, e, at) for e in certificate.permitted)
    ]
    return {name: floor + LANE * place for place, name in enumerate(far)}


def _line(
    compiled: Compiled,
    edge: Edge,
    at: dict[str, tuple[int, int]],
    lanes: dict[str, int],
    colour: str,
    width: float,
) -> str:
    x1, y1 = at[str(edge.writer)]
    x2, y2 = at[_node_of(compiled, edge.reader)]
    x1, y1, y2 = x1 + BOX_WIDTH, y1 + BOX_HEIGHT // 2, y2 + BOX_HEIGHT // 2 + PORT_OFFSET[edge.reader.port]
    if _far(compiled, edge, at):
        y, half = lanes[str(edge.writer)], GAP_X // 2
        path = (
            f"M{x1},{y1} C{x1 + half},{y1} {x1 + half // 2},{y} {x1 + GAP_X},{y} "
            f"H{x2 - GAP_X} C{x2 - half // 2},{y} {x2 - half},{y2} {x2},{y2}"
        )
    else:
        bend = max(30, (x2 - x1) // 2)
        path = f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"
    return (
        f'<path d="{path}" fill="none" '
        f'stroke="{colour}" stroke-width="{width}"><title>{escape(str(edge))}</title></path>'
    )


def _box(compiled: Compiled, node: str, x: int, y: int) -> str:
    label = _label(compiled, node)
    short = label if len(label) <= LABEL else label[: LABEL - 1] + "…"
    return (
        f"<g><title>{escape(node)}: {escape(label)}</title>"
        f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5" fill="#f5f7fa" stroke="#5a6472"/>'
        f'<text x="{x + 8}" y="{y + 17}" font-weight="bold">{escape(node)}</text>'
        f'<text x="{x + 8}" y="{y + 34}">{escape(short)}</text></g>'
    )


def html(compiled: Compiled, certificate: Certificate) -> str:
    rows = "\n".join(
        f"<tr><td>{escape(str(e))}</td><td>{escape(_label(compiled, str(e.writer)))}</td>"
        f"<td>{escape(_label(compiled, _node_of(compiled, e.reader)))}</td></tr>"
        for e in certificate.required
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(certificate.program)}</title></head>\n'
        f"<body>\n{svg(compiled, certificate)}"
        f"<table><tr><th>required edge</th><th>writer computes</th><th>reader computes</th></tr>\n{rows}\n</table>\n"
        "</body></html>\n"
    )


# DOT ---------------------------------------------------------------------------------------------------


def dot(compiled: Compiled, certificate: Certificate) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [f"digraph {quoted(certificate.program)} {{", "  rankdir=LR;", "  node [shape=box];"]
    lines.append(f"  label={quoted(_title(certificate))};")
    for column in _columns(compiled, certificate):
        lines.append("  { rank=same; " + "; ".join(map(quoted, column)) + "; }")
        for node in column:
            label = quoted(f"{node}\n{_label(compiled, node)}").replace("\n", "\\n")
            lines.append(f"  {quoted(node)} [label={label}];")
    for edge in certificate.permitted:
        style = "" if edge in certificate.required else ", color=gray80"
        ends = f"{quoted(str(edge.writer))} -> {quoted(_node_of(compiled, edge.reader))}"
        lines.append(f"  {ends} [headlabel={quoted(edge.reader.port)}{style}];")
    return "\n".join([*lines, "}", ""])


# A tree ------------------------------------------------------------------------------------------------


def tree(compiled: Compiled, certificate: Certificate) -> Tree:
    """What `out` is made of, by required edges; a component is opened once."""
    root = Tree(_title(certificate), highlight=False)
    into: dict[str, list[Edge]] = {}
    for edge in certificate.required:
        into.setdefault(_node_of(compiled, edge.reader), []).append(edge)
    _grow(compiled, root.add("out"), "out", into, set())
    return root


def _grow(compiled: Compiled, branch: Tree, node: str, into: dict[str, list[Edge]], opened: set[str]) -> None:
    opened.add(node)
    for edge in into.get(node, []):
        writer = str(edge.writer)
        seen = writer in opened and writer in into
        port = f"{edge.reader.port}: " if edge.reader.port else ""
        twig = branch.add(f"{port}{writer}  {'(as above)' if seen else _label(compiled, writer)}")
        if not seen:
            _grow(compiled, twig, writer, into, opened)
