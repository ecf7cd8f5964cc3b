"""Turns our docstrings' fields, `name: what it means` over one or more lines, into a list."""

from __future__ import annotations

import re
from typing import Any

import griffe

FIELD = re.compile(r"(?P<names>[a-z_]\w*(?:, [a-z_]\w*)*):\s+(?P<rest>\S.*)")


class Fields(griffe.Extension):
    """Rewrites the docstrings of everything that griffe loads; nothing is imported."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = listed(obj.docstring.value)


def listed(text: str) -> str:
    """Paragraphs that start with a field become lists; all other text stays as it is."""
    return "\n\n".join(_paragraph(part) for part in re.split(r"\n\s*\n", text))


def _paragraph(part: str) -> str:
    lines = part.splitlines()
    if not lines or part[:1].isspace() or not FIELD.fullmatch(lines[0]):
        return part
    items: list[str] = []
    for line in lines:
        if found := FIELD.fullmatch(line):
            names = ", ".join(f"`{name}`" for name in found["names"].split(", "))
            items.append(f"* {names}: {found['rest']}")
        else:
            items[-1] += f" {line.strip()}"
    return "\n".join(items)
