"""A report as data: one neutral `Document`, which the terminal, Markdown, HTML and JUnit each render in their own way."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tracrcheck.grading.verdict import Witness

if TYPE_CHECKING:
    from tracrcheck.reports.picture import Picture

# Values of cells and facts ----------------------------------------------------------------


@dataclass(frozen=True)
class Badge:
    """A verdict in one word, such as FAILS."""

    word: str


@dataclass(frozen=True)
class Code:
    text: str


@dataclass(frozen=True)
class Link:
    """to: `anchor` on the same page."""

    text: str
    to: str


@dataclass(frozen=True)
class Sorted:
    """Text that tables sort by another value."""

    text: str
    by: str | float


@dataclass(frozen=True)
class Verbatim:
    """Preformatted text, such as a traceback."""

    text: str


@dataclass(frozen=True)
class Edges:
    """carried: edge -> what it carries, if that is to be shown."""

    names: tuple[str, ...]
    carried: Mapping[str, str] = field(default_factory=dict)


Inline = str | int | float | None | Badge | Code | Link | Sorted | Verbatim | Edges | Witness

MOST_EDGES = 12  # of a list; the JSON has all


def plain(value: Inline) -> str:
    """The value as plain text."""
    match value:
        case None:
            return ""
        case Badge(word=text) | Code(text=text) | Link(text=text) | Sorted(text=text) | Verbatim(text=text):
            return text
        case Edges(names=names):
            rest = f", and {len(names) - MOST_EDGES} more" if len(names) > MOST_EDGES else ""
            return f"{', '.join(names[:MOST_EDGES])}{rest}"
        case Witness() as w:
            after = "" if w.corruption is None else f", corrupted by {list(w.corruption)}"
            return f"input {list(w.input)}{after}, position {w.position}: want {w.want!r}, got {w.got!r}"
    return str(value)


# Blocks ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Column:
    """number: sorted by value and right-aligned. choice: pages offer a filter on its values. wide: left out on a terminal."""

    name: str
    number: bool = False
    choice: bool = False
    wide: bool = False


def columns(
    *names: str, numbers: Collection[str] = (), choices: Collection[str] = (), wide: Collection[str] = ()
) -> tuple[Column, ...]:
    return tuple(Column(name=n, number=n in numbers, choice=n in choices, wide=n in wide) for n in names)


@dataclass(frozen=True, kw_only=True)
class Table:
    """The first column holds the headings of the rows."""

    caption: str = ""
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Inline]]
    note: str = ""

    def narrow(self) -> Table:
        """Without the wide columns."""
        kept = [n for n, column in enumerate(self.columns) if not column.wide]
        return Table(
            caption=self.caption,
            columns=tuple(self.columns[n] for n in kept),
            rows=[[row[n] for n in kept] for row in self.rows],
            note=self.note,
        )


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that went wrong. reason: in a word or two; why: the same in a sentence. rows: names and details. replay: the
    command that shows it again. link: anchor of its drawing. cells: its row in a short table."""

    word: str
    title: str
    reason: str = ""
    why: str = ""
    rows: tuple[tuple[str, Inline], ...] = ()
    replay: str = ""
    link: str = ""
    cells: tuple[Inline, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Findings:
    """head: names of the `cells` of the short table."""

    head: tuple[str, ...]
    of: Sequence[Finding]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and values."""

    rows: tuple[tuple[str, Inline], ...]


@dataclass(frozen=True, kw_only=True)
class Lines:
    """kind: verbatim means preformatted."""

    lines: tuple[str, ...]
    kind: Literal["list", "warning", "note", "verbatim"] = "list"


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A circuit. folds: collapsible, headed by `word` and `meaning`, and `opened` at first. most: number of edges drawn that no
    layer requires."""

    picture: Picture
    word: str = ""
    meaning: str = ""
    folds: bool = False
    opened: bool = True
    most: int


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Curves, both axes logarithmic: name -> points (x, y)."""

    title: str
    x: str
    y: str
    curves: Mapping[str, Sequence[tuple[float, float]]]


Block = Table | Findings | Facts | Lines | Drawing | Plot

# Documents ---------------------------------------------------------------------------------------------------

Where = Literal["terminal", "markdown", "comment", "html"]
TEXT: tuple[Where, ...] = ("terminal", "markdown", "html")
EVERYWHERE: tuple[Where, ...] = (*TEXT, "comment")


@dataclass(frozen=True, kw_only=True)
class Section:
    """folded: collapsed at first. on: renderers that show it."""

    title: str
    blocks: tuple[Block, ...]
    folded: bool = False
    on: tuple[Where, ...] = TEXT


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A number at the head of a page. kind: good, bad, unsure or plain."""

    label: str
    value: str
    kind: str = "plain"


Outcome = Literal["passed", "failure", "error"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A JUnit test case. kind: why it did not pass, in one word. text: details; the first line is the message."""

    name: str
    seconds: float
    outcome: Outcome = "passed"
    kind: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Document:
    """command: the command that made the results. word, outcome: the result as a badge and as a clause. good: whether it
    passed. scope: what was examined. summary: the figures, line by line. run: provenance, if known. suites: JUnit suites."""

    command: str
    title: str
    word: str
    good: bool
    outcome: str
    scope: str
    summary: tuple[str, ...] = ()
    tiles: tuple[Tile, ...] = ()
    sections: tuple[Section, ...]
    run: Mapping[str, Any] | None
    suites: Mapping[str, Sequence[Case]] = field(default_factory=dict)

    @property
    def unfinished(self) -> bool:
        return self.run is not None and not self.run.get("finished", True)

    def shown(self, where: Where) -> list[Section]:
        return [section for section in self.sections if where in section.on and section.blocks]


def anchor(*words: str) -> str:
    """An id from words: equal words give equal ids, different words different ones."""
    return "i-" + "".join(
        c if c.isascii() and (c.isalnum() or c in "_.-") else f"~{ord(c):x}~" for c in "-".join(words)
    )
