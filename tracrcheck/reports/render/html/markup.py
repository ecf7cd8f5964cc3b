"""The templates of pages and drawings. What is put into one is escaped unless it is `Markup`, so that no text of a program or
method becomes markup."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from tracrcheck.reports.render.sanitize import shown


def text(value: object) -> Markup:
    """Escapes a value, unless it is markup. None is empty."""
    return value if isinstance(value, Markup) else escape("" if value is None else shown(str(value)))


@cache
def templates() -> Environment:
    return Environment(
        loader=PackageLoader("tracrcheck.reports.render.html"), autoescape=True, finalize=text, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
