"""Small pieces of HTML. Everything that is not `Markup` is escaped, so no text of a program or method becomes markup."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from tracrcheck.grading.verdict import Witness
from tracrcheck.reports.document import MOST_EDGES, Badge, Code, Edges, Inline, Link, Sorted, Verbatim
from tracrcheck.reports.render.sanitize import shown

MOST_TEXT = 2000  # characters of text whose lines are kept
_BADGES = {
    "good": ("HOLDS", "killed", "quiet", "proved", "held", "faithful", "made"),
    "bad": ("FAILS", "survived", "red", "broken", "not faithful", "FAILED"),
    "unsure": ("UNKNOWN", "error", "not proved", "not finished"),
}
_KIND = {word: kind for kind, words in _BADGES.items() for word in words}


def text(value: object) -> Markup:
    """Escapes a value, unless it is markup. None is empty."""
    return value if isinstance(value, Markup) else escape("" if value is None else shown(str(value)))


def fill(template: str, *values: object) -> Markup:
    """Puts escaped values in place of the `{}` of a template, which is markup."""
    return Markup(template.format(*map(text, values)))


def joined(parts: Sequence[object], between: str = "") -> Markup:
    return Markup(between).join(map(text, parts))


def badge(word: str) -> Markup:
    """The style sheet adds a sign before the word, for readers who cannot see the colour."""
    return fill('<b class="badge {}">{}</b>', _KIND.get(word, "plain"), word)


def inline(value: Inline | Markup) -> Markup:
    match value:
        case Badge(word=word):
            return badge(word)
        case Code(text=code):
            return fill("<code>{}</code>", code)
        case Link(text=words, to=to):
            return fill('<a href="#{}">{}</a>', to, words)
        case Sorted(text=words):
            return text(words)
        case Verbatim(text=words):
            cut = words if len(words) <= MOST_TEXT else words[:MOST_TEXT] + " …"
            return fill("<pre>{}</pre>", cut)
        case Edges(names=names, carried=carried):
            return _edges(names[:MOST_EDGES], carried, len(names) - MOST_EDGES)
        case Witness():
            return _witness(value)
    return text(value)


def _edges(names: Sequence[str], carried: Mapping[str, str], more: int) -> Markup:
    codes = joined(
        [fill("<code>{}</code>{}", name, carried.get(name, "") and f" {carried[name]}") for name in names],
        " ",
    )
    return fill("{} and {} more", codes, f"{more:,}") if more > 0 else codes


def _witness(w: Witness) -> Markup:
    """The input token by token, and both outputs."""
    rows: list[tuple[str, Markup]] = [("input", _tokens(w.input))]
    if w.corruption is not None:
        rows.append(("corrupted by", _tokens(w.corruption)))
    rows += [
        ("position", text(w.position)),
        ("the model gives", fill("<code>{}</code>", repr(w.want))),
        ("the circuit gives", fill("<code>{}</code>", repr(w.got))),
    ]
    return facts(rows)


def _tokens(tokens: Sequence[object]) -> Markup:
    return joined([fill("<kbd>{}</kbd>", token) for token in tokens], " ") or Markup("<i>none</i>")


def facts(rows: Sequence[tuple[str, Inline | Markup]]) -> Markup:
    """Names and values."""
    return fill(
        '<dl class="facts">{}</dl>',
        joined(
            [fill("<div><dt>{}</dt><dd>{}</dd></div>", name, inline(value)) for name, value in rows],
        ),
    )


def prose(value: str) -> Markup:
    """A sentence in which text between backticks is code."""
    parts = re.split(r"`([^`]*)`", value)
    return joined([fill("<code>{}</code>", part) if n % 2 else part for n, part in enumerate(parts)])
