"""Renders a document as a single HTML file: no network, no framework.

The policy in the page's head blocks every request and every script but ours, so that a page behaves the same wherever it is
opened, and text that became markup by our mistake would still run nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup

from tracrcheck._version import __version__
from tracrcheck.records.machine import in_words
from tracrcheck.reports import document as doc
from tracrcheck.reports.picture import KINDS
from tracrcheck.reports.render import curves
from tracrcheck.reports.render import grid as grids
from tracrcheck.reports.render.graph import page_svg
from tracrcheck.reports.render.templates import templates, text

if TYPE_CHECKING:
    from jinja2 import Environment

# Findings shown in full; the tables list the others. Items above which a list is folded.
MOST_FINDINGS, LONG = 40, 8
LONG_TEXT = (
    40  # a cell with more characters gets a wide column, so that it does not wrap into a tall, narrow one
)
_BADGES = {
    "good": ("HOLDS", "killed", "quiet", "proved", "held", "faithful", "made"),
    "bad": ("FAILS", "survived", "red", "broken", "not faithful", "FAILED"),
    "unsure": ("UNKNOWN", "error", "not proved", "sampled", "partly faithful", "not judged"),
}
_KIND = {word: kind for kind, words in _BADGES.items() for word in words}


def page(document: doc.Document) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    return _templates().get_template("page.html").render(
        document=document, sections=document.shown("html"), version=__version__, policy=_policy(style, script),
        style=Markup(style), script=Markup(script),
    )  # fmt: skip


@cache
def _templates() -> Environment:
    made = templates().overlay()
    made.globals |= {"most_findings": MOST_FINDINGS, "most_edges": doc.MOST_EDGES, "long": LONG}
    made.tests |= {
        "long": lambda cell: isinstance(cell, str) and len(cell) > LONG_TEXT,
        "sorted": lambda cell: isinstance(cell, doc.Sorted),
        "edges": lambda value: isinstance(value, doc.Edges),
    }
    made.filters |= {
        "anchor": doc.anchor, "badge_kind": lambda word: _KIND.get(word, "plain"), "choices": _choices, "in_words": in_words,
        "grid_svg": lambda grid: grids.svg(grid, ground=False),
        "inline": inline, "page_svg": page_svg, "plot_svg": lambda plot: curves.svg(plot, ground=False), "prose": _prose,
        "repr": repr, "stroke": KINDS.__getitem__,
    }  # fmt: skip
    return made


def inline(value: doc.Inline | doc.Block) -> Markup:
    """A value or a block: each has a macro, named after its class."""
    if value is None or isinstance(value, (str, int, float)):
        return text(value)
    macro = getattr(_templates().get_template("blocks.html").module, type(value).__name__)
    return Markup(macro(value))


def _prose(value: str) -> Markup:
    """A sentence in which text between backticks is code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(text(value))))


def _choices(table: doc.Table) -> list[tuple[int, doc.Column, list[str]]]:
    """Index, column and values of each column that rows can be filtered by."""
    return [
        (n, column, [v for v in dict.fromkeys(_value(row[n]) for row in table.rows) if v])
        for n, column in enumerate(table.columns)
        if column.choice
    ]


def _value(cell: doc.Inline) -> str:
    return str(cell.by) if isinstance(cell, doc.Sorted) else doc.plain(cell)


# Style, script and policy -------------------------------------------------------------------------------------------------


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
