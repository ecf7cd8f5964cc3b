"""Renders a document as a single HTML file: no network, no framework.

The policy in the page's head blocks every request and every script but ours, so that a page behaves the same wherever it is
opened, and text that became markup by our mistake would still run nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edgeprune_core.graph import Edge
from tracrcheck._version import __version__
from tracrcheck.records.machine import in_words
from tracrcheck.reports.document import (
    Block,
    Code,
    Column,
    Document,
    Finding,
    Inline,
    Lines,
    Section,
    Sorted,
    Table,
    anchor,
    plain,
)
from tracrcheck.reports.picture import KINDS, LEGEND, Layer, Picture, node_of
from tracrcheck.reports.render import curves
from tracrcheck.reports.render.graph import page_svg
from tracrcheck.reports.render.html.markup import badge, facts, fill, inline, joined, prose, text

# Findings shown in full; the tables list the others. Items above which a list is folded.
MOST_FINDINGS, LONG = 40, 8


@dataclass(frozen=True, kw_only=True)
class _Environment:
    """The command that made a result, and the machine."""

    command: str
    rows: Sequence[tuple[str, Inline | Markup]]


def page(document: Document) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    sections = [*document.shown("html"), _environment(document.run)]
    return _templates().get_template("page.html").render(
        document=document, sections=sections, version=__version__, policy=_policy(style, script),
        style=Markup(style), script=Markup(script),
    )  # fmt: skip


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("tracrcheck.reports.render.html"), autoescape=True, finalize=text, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals["most_findings"] = MOST_FINDINGS
    ours = (anchor, badge, facts, prose)
    made.filters |= {function.__name__: function for function in ours}
    made.filters |= {
        "kind": lambda block: type(block).__name__.lstrip("_"), "choices": _choices, "cells": _cells, "legend": _legend,
        "finding_facts": _finding_facts, "edge_row": _edge_row, "page_svg": page_svg,
        "plot_svg": lambda plot: curves.svg(plot, ground=False),
    }  # fmt: skip
    return made


def block(of: Block) -> Markup:
    """A single block."""
    module: Any = _templates().get_template("blocks.html").module
    return Markup(getattr(module, type(of).__name__)(of))


# Tables ------------------------------------------------------------------------------------------------


def _choices(table: Table) -> list[tuple[int, Column, list[str]]]:
    """Index, column and values of each column that rows can be filtered by."""
    return [
        (n, column, [v for v in dict.fromkeys(_value(row[n]) for row in table.rows) if v])
        for n, column in enumerate(table.columns)
        if column.choice
    ]


def _value(cell: Inline) -> str:
    return str(cell.by) if isinstance(cell, Sorted) else plain(cell)


def _cells(row: Sequence[Inline], columns: Sequence[Column]) -> Markup:
    """A row, whose first cell is its heading."""
    parts = []
    for place, (cell, column) in enumerate(zip(row, columns, strict=True)):
        by = fill(' data-by="{}"', cell.by) if isinstance(cell, Sorted) else ""
        number = Markup(" class=n") if column.number else ""
        words = inline(cell)
        parts.append(
            fill("<td{}{}>{}", number, by, words) if place else fill("<th scope=row{}>{}", by, words)
        )
    return fill("<tr>{}", joined(parts))


# Findings and circuits -----------------------------------------------------------------------------------


def _finding_facts(finding: Finding) -> Markup:
    rows: list[tuple[str, Inline]] = [("why", finding.why)] if finding.why else []
    return facts([*rows, *((_counted(name, value), value) for name, value in finding.rows)])


def _counted(name: str, value: Inline) -> str:
    names = getattr(value, "names", None)
    return name if names is None else f"{name}, {len(names):,}"


def _legend(picture: Picture) -> list[tuple[str, str, str]]:
    there = {kind for layer in picture.layers for kind in layer.kinds.values()}
    return [(kind, KINDS[kind], words) for kind, words in LEGEND.items() if kind in there]


def _edge_row(edge: Edge, picture: Picture) -> Markup:
    """What the edge carries, and its kind in each layer."""
    cells: list[object] = []
    if any(picture.labels.values()):
        into = node_of(edge.reader)
        reader = "the output" if into == "out" else picture.labels.get(into, "") or into
        cells.append(f"{picture.labels.get(str(edge.writer), '') or edge.writer}, into {reader}")
    cells += [_note(layer, edge) for layer in picture.layers]
    return fill("<tr><th scope=row>{}{}", edge, joined([fill("<td>{}", cell) for cell in cells]))


def _note(layer: Layer, edge: Edge) -> Markup:
    kind = layer.kinds.get(edge)
    if kind is None:
        return Markup("–")
    note = layer.notes.get(edge, "")
    return fill('<b class="{}">{}</b>{}', KINDS[kind], LEGEND[kind], f"; {note}" if note else "")


# Environment -----------------------------------------------------------------------------------------------


def _environment(run: Mapping[str, Any] | None) -> Section:
    """run: as in a results file (docs/json.md), or the part that is known."""
    if run is None:
        return Section(
            title="Environment",
            blocks=(Lines(lines=("The file does not say what it was made on.",), kind="note"),),
        )
    made: Any = _Environment(command=run["command"], rows=_made_on(run))
    return Section(title="Environment", blocks=(made,))


def _made_on(run: Mapping[str, Any]) -> list[tuple[str, Inline | Markup]]:
    rows: list[tuple[str, Inline | Markup]] = [("machine", in_words(run["machine"]))]
    if (memory := run["machine"].get("memory_gib")) is not None:
        rows.append(("memory", f"{memory:g} GiB"))
    rows += [("commit", Code(run.get("commit") or "unknown")), ("begun", run["started"])]
    if "seconds" in run:
        sittings = run["sittings"]
        rows.append(("took", f"{run['seconds']:,.0f} s in {sittings} sitting{'s' if sittings != 1 else ''}"))
        rows.append(("finished", "yes" if run["finished"] else "NO: these are the results so far"))
    rows += [(name, _asked(value)) for name, value in run.get("asked", {}).items()]
    return rows + [(f"sources: {name}", Code(sha)) for name, sha in run.get("sources", {}).items() if sha]


def _asked(value: Any) -> Inline | Markup:
    if isinstance(value, list):
        words = ", ".join(map(str, value))
        if len(value) > LONG:
            return fill("<details><summary>{}</summary>{}</details>", f"{len(value):,}", words)
        return words or "none"
    return "not restricted" if value is None else str(value)


# The frame -------------------------------------------------------------------------------------------------


@cache
def _asset(name: str) -> str:
    return files("tracrcheck.reports.render.html").joinpath("assets", name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; img-src data:; style-src '{_sha(style)}'; script-src '{_sha(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
