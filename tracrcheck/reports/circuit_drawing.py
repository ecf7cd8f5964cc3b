"""The circuit of a certificate, drawn: SVG, HTML or DOT text, and a tree for the terminal.

Required edges are solid, permitted ones faint; every component is labelled with the RASP expression it computes.
"""

from __future__ import annotations

from pathlib import Path

from rich.tree import Tree

from edgeprune_core.graph import Edge
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import user_error
from tracrcheck.grading.edge_effects import Evidence, weights_of
from tracrcheck.reports.render.graph import Drawing, dot, node_of, svg
from tracrcheck.reports.render.html.certify import certify_page
from tracrcheck.reports.text import computes
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.setting import task_of


def draw(compiled: Compiled, certificate: Certificate, kind: str) -> str:
    """Text of a picture; `kind` is a file's suffix. Errors: TC123."""
    match kind:
        case ".svg":
            return svg(_drawing(compiled, certificate))
        case ".html":
            return _page(compiled, certificate)
        case ".dot":
            return dot(_drawing(compiled, certificate))
    raise user_error("TC123", where="--out", got=kind, kind=kind)


def kind_of(path: Path) -> str:
    if path.suffix not in (".svg", ".html", ".dot"):
        raise user_error("TC123", where="--out", got=path, kind=path.suffix)
    return path.suffix


def _page(compiled: Compiled, certificate: Certificate) -> str:
    weights = weights_of(task_of(compiled, certificate.setting), certificate)
    one = Evidence(compiled=compiled, setting=certificate.setting, certificate=certificate, weights=weights)
    return certify_page([one]).text()


def _drawing(compiled: Compiled, certificate: Certificate) -> Drawing:
    nodes = {str(w) for w in compiled.graph.writers} | {"out"}
    return Drawing(
        graph=compiled.graph,
        name=certificate.program,
        title=_title(certificate),
        solid=tuple(certificate.required),
        faint=tuple(e for e in certificate.permitted if e not in certificate.required),
        labels={node: _label(compiled, node) for node in nodes},
    )


def _label(compiled: Compiled, node: str) -> str:
    return "the output" if node == "out" else computes(compiled, node)


def _title(certificate: Certificate) -> str:
    s = certificate.setting
    return (
        f"{certificate.program}: {s.ablation} ablation, criterion {s.criterion}; "
        f"{len(certificate.required)} required of {len(certificate.permitted)} permitted edges; "
        f"proved: {', '.join(certificate.proved) or 'nothing'}"
    )


# A tree ------------------------------------------------------------------------------------------------


def tree(compiled: Compiled, certificate: Certificate) -> Tree:
    """What `out` is made of, by required edges; a component is opened once."""
    root = Tree(_title(certificate), highlight=False)
    into: dict[str, list[Edge]] = {}
    for edge in certificate.required:
        into.setdefault(node_of(edge.reader), []).append(edge)
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
