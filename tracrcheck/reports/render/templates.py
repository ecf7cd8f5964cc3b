"""The jinja2 templates, all in the folder `templates`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from tracrcheck.reports.render.sanitize import shown

if TYPE_CHECKING:
    from jinja2 import Environment


def text(value: object) -> Markup:
    """Escapes a value, unless it is markup. None is empty."""
    return value if isinstance(value, Markup) else escape("" if value is None else shown(str(value)))


@cache
def templates(*, escaped: bool = True) -> Environment:
    """escaped: what is put into a template is escaped unless it is `Markup`, so that no text of a program or method becomes
    markup. Otherwise it stays as it is, for plain text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # slow to load

    return Environment(
        loader=PackageLoader("tracrcheck.reports.render"), autoescape=escaped, finalize=text if escaped else None,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def lines(name: str, **values: object) -> list[str]:
    """The lines of a template of plain text."""
    return templates(escaped=False).get_template(name).render(**values).splitlines()
