"""The page that every report shares: a header, sections, and the style and script, all in one text.

The policy in the page's head lets no request out and runs no script but ours, so that a page stays what it is wherever
it is opened, and text that were markup by our mistake would still run nothing.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tracrcheck._version import __version__
from tracrcheck.reports.render.html.elements import Child, Html, anchor, joined, tag


@dataclass(frozen=True, kw_only=True)
class Section:
    """folded: closed until it is asked for, and not printed."""

    title: str
    content: Html
    folded: bool = False

    @property
    def id(self) -> str:
        return anchor(self.title)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A figure of the summary. kind: good, bad, unsure or plain."""

    label: str
    value: str
    kind: str = "plain"


@dataclass(frozen=True, kw_only=True)
class Page:
    """title: what was done. lead: what came of it, in a line. tiles: the figures to be seen first."""

    title: str
    lead: Child
    tiles: tuple[Tile, ...] = ()
    sections: tuple[Section, ...]

    def text(self) -> str:
        """The whole document."""
        style, script = _asset("page.css"), _asset("page.js")
        head = joined(
            (
                tag("meta", charset="utf-8"),
                tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
                tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
                tag("meta", name="color-scheme", content="light dark"),
                tag("meta", name="generator", content=f"tracrcheck {__version__}"),
                tag("link", rel="icon", href="data:,"),
                tag("title", f"{self.title} – tracrcheck"),
                tag("style", Html(style)),
            ),
            "\n",
        )
        body = joined(
            (
                tag("a", "To the content", class_="skip", href="#content"),
                self._header(),
                tag("main", *map(_section, self.sections), id="content", tabindex="-1"),
                tag("footer", f"tracrcheck {__version__}"),
                tag("script", Html(script)),
            ),
            "\n",
        )
        return (
            f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'
        )

    def _header(self) -> Html:
        links = [tag("a", s.title, href=f"#{s.id}") for s in self.sections]
        return tag(
            "header",
            tag("div", tag("h1", self.title), _theme(), class_="top"),
            tag("p", self.lead, class_="lead"),
            tag("ul", *map(_tile, self.tiles), class_="tiles") if self.tiles else None,
            tag("nav", *links, aria_label="Sections") if len(links) > 1 else None,
        )


def _theme() -> Html:
    return tag("button", "Dark", type="button", class_="theme", hidden=True, aria_pressed="false")


def _tile(tile: Tile) -> Html:
    return tag("li", tag("b", tile.value), tag("span", tile.label), class_=tile.kind)


def _section(section: Section) -> Html:
    title = tag("h2", section.title)
    if not section.folded:
        return tag("section", title, section.content, id=section.id)
    return tag(
        "section",
        tag("details", tag("summary", title), section.content),
        id=section.id,
        class_="folded",
    )


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
