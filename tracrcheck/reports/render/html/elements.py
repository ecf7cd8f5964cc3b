"""Elements of HTML. Whatever is not `Html` already is escaped, so that no text of a program or a method becomes markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape, unescape

from tracrcheck.reports.render.sanitize import shown

_VOID = frozenset(("br", "hr", "input", "link", "meta"))

Attribute = str | int | float | bool | None


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child = Html | str | int | float | None


def text(value: Child) -> Html:
    """Escaped, unless it is markup already; nothing for None."""
    if isinstance(value, Html):
        return value
    return Html("" if value is None else escape(shown(str(value))))


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Html:
    """An element. `class_` stands for class, `data_x` for data-x; True is an attribute without a value, None and False none."""
    opening = Html(f"<{name}{_attributes(attributes)}>")
    if name in _VOID:
        assert not children, f"<{name}> holds nothing"
        return opening
    return Html(f"{opening}{joined(children)}</{name}>")


def joined(children: Iterable[Child], between: str = "") -> Html:
    return Html(between.join(map(text, children)))


def _attributes(attributes: dict[str, Attribute]) -> str:
    parts = []
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        parts.append(f" {name}" if value is True else f' {name}="{text(str(value))}"')
    return "".join(parts)


def anchor(*words: str) -> str:
    """An id from words: equal words give equal ids, others others."""
    plain = "-".join(words)
    return "i-" + re.sub(r"[^A-Za-z0-9_.-]", lambda match: f"~{ord(match[0]):x}~", plain)


def code(value: str) -> Html:
    return tag("code", value)


def prose(value: str) -> Html:
    """A sentence of a docstring: what stands between backticks is code."""
    parts = re.split(r"`([^`]*)`", value)
    return joined(code(part) if n % 2 else part for n, part in enumerate(parts))


def command(value: str) -> Html:
    """A command to be copied; a script puts a button beside it."""
    return tag("div", tag("code", value), class_="command")


def badge(word: str) -> Html:
    """A verdict; the style sheet puts a sign before the word, since some see no colour."""
    return tag("b", word, class_=f"badge {_BADGES.get(word, 'plain')}")


_BADGES = {
    "HOLDS": "good",
    "FAILS": "bad",
    "UNKNOWN": "unsure",
    "killed": "good",
    "quiet": "good",
    "red": "bad",
    "survived": "bad",
    "error": "unsure",
    "proved": "good",
    "not proved": "unsure",
    "held": "good",
    "broken": "bad",
    "faithful": "good",
    "not faithful": "bad",
    "not finished": "unsure",
}


def plain(value: Child) -> str:
    """The text of an element, as it is read."""
    if isinstance(value, Html):
        return unescape(re.sub(r"<[^>]*>", "", value))
    return "" if value is None else str(value)
