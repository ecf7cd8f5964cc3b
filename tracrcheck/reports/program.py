"""A program: the result of `check`, why an edge is needed, and drawings of its circuit.

In a drawing required edges are solid and permitted ones faint; every component is labelled with the RASP expression that it
computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.tree import Tree

from edgeprune_core.graph import Edge
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import user_error
from tracrcheck.grading.edge_effects import Evidence, weights_of
from tracrcheck.rasp.domain import in_all
from tracrcheck.reports import certify
from tracrcheck.reports.context import Context
from tracrcheck.reports.document import Column, Table, grouped, number, plain
from tracrcheck.reports.picture import node_of, picture_of, truth_layer
from tracrcheck.reports.render.graph import dot, svg
from tracrcheck.reports.render.html.page import page
from tracrcheck.reports.render.templates import lines
from tracrcheck.reports.saved import CertificatesFile
from tracrcheck.reports.text import computes, separated
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.task import task_of

if TYPE_CHECKING:
    from tracrcheck.grading.explain import Explanation
    from tracrcheck.truth.program_check import Checkup


# One program -------------------------------------------------------------------------------------------


def checkup_parts(found: Checkup) -> list[str | Table]:
    """What `tracrcheck check` prints besides the problems."""
    compiled = found.compiled
    if compiled is None:
        return []
    truths = Table.of(
        found.certificates,
        Column("  ablation", lambda c: f"  {c.setting.ablation}"),
        number("required", lambda c: len(c.required)),
        number("permitted", lambda c: len(c.permitted)),
        Column("proved", _proved),
    )
    return [
        *lines("check.txt", found=found, compiled=compiled, in_all=in_all, unseen=_unseen(compiled)),
        *([truths] if truths else []),
        f"  {found.seconds:.1f} s",
    ]


def _unseen(compiled: Compiled) -> str:
    """Lengths of which no legal list was found, although there may be some."""
    found = {len(tokens) for tokens in compiled.domain.inputs}
    return ", ".join(
        str(n) for n, total in compiled.domain.missing.items() if total is None and n not in found
    )


def _proved(c: Certificate) -> str:
    unproved = "" if c.usable else f"; {separated(c.says('sufficient'))}"
    return f"{certify.sampled_words(c)}{certify.proved_words(c)}{unproved}{certify.vacuous_words(c)}"


def explanation_block(compiled: Compiled, ablation: str, found: Explanation) -> str:
    edge = found.edge
    witness = [f"    witness {plain(found.witness)}"] if found.witness else []
    shown = [
        f"{edge}, {ablation} ablation: {found.kind}",
        f"    why     {found.why}",
        *witness,
        f"    writer  {edge.writer} computes {computes(compiled, str(edge.writer))}",
        f"    reader  {edge.reader} belongs to {computes(compiled, node_of(edge.reader))}",
    ]
    return "\n".join(shown)


# Drawings ----------------------------------------------------------------------------------------------


def draw(
    compiled: Compiled, certificate: Certificate, kind: str, run: Mapping[str, Any] | None = None
) -> str:
    """The drawing as text. kind: suffix of the file. run: how it was made, for a page. Errors: TC123."""
    weights = weights_of(task_of(compiled, certificate.setting), certificate) if kind == ".html" else {}
    one = Evidence(compiled=compiled, setting=certificate.setting, certificate=certificate, weights=weights)
    picture = picture_of([one], [truth_layer(one, permitted=True)])
    match kind:
        case ".svg":
            return svg(picture, title=_title(certificate))
        case ".html":
            saved = CertificatesFile(certificates=(certificate.to_json(),), run=run)
            return page(certify.document(saved, Context(evidence=[one])))
        case ".dot":
            return dot(picture, title=_title(certificate))
    raise user_error("TC123", where="--out", got=kind, kind=kind)


def kind_of(path: Path) -> str:
    if path.suffix not in (".svg", ".html", ".dot"):
        raise user_error("TC123", where="--out", got=path, kind=path.suffix)
    return path.suffix


def _title(certificate: Certificate) -> str:
    s = certificate.setting
    return (
        f"{certificate.program}: {s.ablation} ablation, criterion {s.criterion}; "
        f"{len(certificate.required)} required of {len(certificate.permitted)} permitted edges; "
        f"{certify.sampled_words(certificate) or 'proved: '}{certify.proved_words(certificate)}"
    )


# A tree ------------------------------------------------------------------------------------------------


def tree(compiled: Compiled, certificate: Certificate) -> Tree:
    """The required edges as a tree that ends in `out`. Each component is expanded once."""
    root = Tree(_title(certificate), highlight=False)
    into = grouped(certificate.required, lambda edge: node_of(edge.reader))
    _grow(compiled, root.add("out"), "out", into, set())
    return root


def _grow(compiled: Compiled, branch: Tree, node: str, into: dict[str, list[Edge]], opened: set[str]) -> None:
    opened.add(node)
    for edge in into.get(node, []):
        writer = str(edge.writer)
        seen = writer in opened and writer in into
        port = f"{edge.reader.port}: " if edge.reader.port else ""
        twig = branch.add(f"{port}{writer}  {'(as above)' if seen else computes(compiled, writer)}")
        if not seen:
            _grow(compiled, twig, writer, into, opened)
