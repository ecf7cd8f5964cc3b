"""Programs: the table of all programs, the result of `check`, why an edge is needed, and drawings of circuits.

In a drawing required edges are solid and permitted ones faint; every component is labelled with the RASP expression that it
computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.tree import Tree

from edgeprune_core.ablations import ABLATIONS
from edgeprune_core.graph import Edge
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import user_error
from tracrcheck.grading.edge_effects import Evidence, weights_of
from tracrcheck.rasp.library import Entry
from tracrcheck.reports import certify
from tracrcheck.reports.context import Beside
from tracrcheck.reports.document import Table, columns, plain
from tracrcheck.reports.picture import node_of
from tracrcheck.reports.render.graph import Drawing, dot, svg
from tracrcheck.reports.render.html.page import page
from tracrcheck.reports.saved import CertificatesFile
from tracrcheck.reports.text import computes, reader_computes
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.pins import Pins
from tracrcheck.truth.task import task_of

if TYPE_CHECKING:
    from tracrcheck.grading.explain import Explanation
    from tracrcheck.truth.program_check import Checkup


# Lists -------------------------------------------------------------------------------------------------

HEAD = """# The programs

Edges that are required under each ablation, by value, every input of every length, position 0 not judged; `*`
where several circuits of that size are right, `-` where nothing is required. Everything here is proved: sufficient,
minimal and smallest; a number in brackets is proved sufficient and minimal only. Written by `make pins` from
`ci/certificates.json`; a test fails where it is out of date.

| program | computes | layers x heads | edges | zero | mean | resample |
|---|---|---|---|---|---|---|
"""


def programs_page(programs: Sequence[tuple[Compiled, Entry]], pinned: Pins) -> str:
    rows = []
    for compiled, entry in programs:
        spec, name = compiled.model.spec, compiled.program.name
        truths = [_truth(pinned.get(name, {}).get(f"{ablation} value")) for ablation in ABLATIONS]
        meaning = entry.meaning.replace("|", "\\|")
        cells = [name, meaning, f"{spec.n_layers} x {spec.n_heads}", f"{compiled.graph.n_edges:,}", *truths]
        rows.append("| " + " | ".join(cells) + " |\n")
    return HEAD + "".join(rows)


def _truth(record: dict[str, list[str]] | None) -> str:
    if record is None:
        return "not pinned"
    required, proved = record["required"], record["proved"]
    if "smallest" not in proved:
        return f"({len(required)})"
    many = "" if "unique" in proved else "*"
    return f"{len(required)}{many}" if required else "-"


def programs_table(programs: Sequence[Compiled]) -> Table:
    rows = []
    for compiled in programs:
        program, spec = compiled.program, compiled.model.spec
        vocabulary = " ".join(sorted(map(str, program.vocab)))
        heads = f"{spec.n_layers} x {spec.n_heads}"
        rows.append((program.name, vocabulary, program.max_seq_len, heads, f"{compiled.graph.n_edges:,}"))
    names = ("program", "vocabulary", "length", "layers x heads", "edges")
    return Table(columns=columns(*names, numbers=("length", "edges")), rows=rows)


# One program -------------------------------------------------------------------------------------------


def checkup_parts(found: Checkup) -> list[str | Table]:
    """What `tracrcheck check` prints besides the problems."""
    compiled = found.compiled
    if compiled is None:
        return []
    spec, n = compiled.model.spec, len(found.problems)
    parts: list[str | Table] = [
        f"{compiled.program.name}: {spec.n_layers} layers x {spec.n_heads} heads, {compiled.graph.n_edges:,} edges"
    ]
    if (f := found.faithfulness) is not None:
        sample = f", a sample of {f.sampled:,}" if f.sampled is not None else ""
        parts.append(
            f"  compared  {f.n_inputs:,} inputs{sample}; {f.n_positions:,} positions, {f.n_without_value:,} without a value"
        )
    agree = "agree" if not n else f"{n} problem{'s' if n > 1 else ''}"
    reference = "reference, " if compiled.program.reference is not None else "(no reference), "
    if compiled.program.by_hand is None:
        parts.append(f"  interpreter, {reference}torch, JAX: {agree}")
    else:
        parts.append(
            f"  interpreter, {reference}torch: {agree}; made by hand, so there is no JAX model to compare"
        )
    if found.certificates:
        rows = []
        for c in found.certificates:
            unproved = f"; {c.says('sufficient')}" if not c.usable else ""
            proved = f"{certify.proved_words(c)}{unproved}{certify.vacuous_words(c)}"
            rows.append((f"  {c.setting.ablation}", len(c.required), len(c.permitted), proved))
        numbers = ("required", "permitted")
        parts.append(Table(columns=columns("  ablation", *numbers, "proved", numbers=numbers), rows=rows))
    return [*parts, f"  {found.seconds:.1f} s"]


def explanation_block(compiled: Compiled, ablation: str, found: Explanation) -> str:
    edge = found.edge
    lines = [f"{edge}, {ablation} ablation: {found.kind}", f"    why     {found.why}"]
    if found.witness:
        lines.append(f"    witness {plain(found.witness)}")
    lines.append(f"    writer  {edge.writer} computes {computes(compiled, str(edge.writer))}")
    lines.append(f"    reader  {edge.reader} belongs to {reader_computes(compiled, edge.reader)}")
    return "\n".join(lines)


# Drawings ----------------------------------------------------------------------------------------------


def draw(compiled: Compiled, certificate: Certificate, kind: str) -> str:
    """The drawing as text. kind: suffix of the file. Errors: TC123."""
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
    saved = CertificatesFile(certificates=(certificate.to_json(),))
    return page(certify.document(saved, Beside(evidence=[one])))


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
    """The required edges as a tree that ends in `out`. Each component is expanded once."""
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
