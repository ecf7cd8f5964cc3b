"""A report as data: one neutral `Document`, which the terminal, Markdown, HTML and JUnit each render in their own way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

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


Outcome = Literal["passed", "failure", "error"]  # of a JUnit case
T = TypeVar("T")
K = TypeVar("K")
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


@dataclass(frozen=True)
class Column:
    """of: the cell of an item; by default the item's attribute, or its value under the key, with the column's name.

    number: sorted by value and right-aligned. choice: pages offer a filter on its values. wide: left out on a terminal.
    """

    name: str
    of: Callable[[Any], Inline] | None = None
    number: bool = False
    choice: bool = False
    wide: bool = False

    def cell(self, item: Any) -> Inline:
        if self.of is not None:
            return self.of(item)
        return item[self.name] if isinstance(item, Mapping) else getattr(item, self.name)


number, choice = partial(Column, number=True), partial(Column, choice=True)


@dataclass(frozen=True, kw_only=True)
class Table:
    """The first column holds the headings of the rows. above: a line above it on a terminal, which shows no caption."""

    caption: str = ""
    columns: Sequence[Column]
    rows: Sequence[Sequence[Inline]]
    note: str = ""
    above: str = ""

    def __bool__(self) -> bool:
        return bool(self.rows)

    @classmethod
    def of(
        cls, items: Iterable[Any], *columns: Column, caption: str = "", note: str = "", above: str = ""
    ) -> Table:
        """A row for each item."""
        rows = [[column.cell(item) for column in columns] for item in items]
        return cls(caption=caption, columns=columns, rows=rows, note=note, above=above)

    def narrow(self) -> Table:
        """Without the wide columns."""
        kept = [n for n, column in enumerate(self.columns) if not column.wide]
        columns, rows = [self.columns[n] for n in kept], [[row[n] for n in kept] for row in self.rows]
        return replace(self, columns=columns, rows=rows)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that went wrong.

    reason, why: in a word or two, and in a sentence if that says more. rows: names and details. replay: the command that
    reproduces it. link: anchor of its drawing. cells: its row in a short table. outcome: of its JUnit case; kind: the type of
    the failure there, by default `word`.
    """

    word: str
    title: str
    outcome: Outcome = "failure"
    kind: str = ""
    reason: str = ""
    why: str = ""
    rows: tuple[tuple[str, Inline], ...] = ()
    replay: str = ""
    link: str = ""
    cells: tuple[Inline, ...] = ()


@dataclass(frozen=True)
class Findings:
    """head: names of the `cells` of the short table."""

    head: tuple[str, ...]
    of: Sequence[Finding]

    def __bool__(self) -> bool:
        return bool(self.of)


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    rows: tuple[tuple[str, Inline], ...]


@dataclass(frozen=True)
class Lines:
    """kind: verbatim means preformatted."""

    lines: Sequence[str]
    kind: Literal["list", "warning", "note", "verbatim"] = "list"

    def __bool__(self) -> bool:
        return bool(self.lines)


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


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Edges counted by layers. writers, readers: the layers in order, by name. counts: (writing, reading layer) -> edges."""

    title: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    counts: Mapping[tuple[str, str], int]


Block = Table | Findings | Facts | Lines | Drawing | Plot | Grid

# Documents ---------------------------------------------------------------------------------------------------

Where = Literal["terminal", "markdown", "comment", "html"]
TEXT: tuple[Where, ...] = ("terminal", "markdown", "html")
EVERYWHERE: tuple[Where, ...] = (*TEXT, "comment")


@dataclass(frozen=True)
class Section:
    """folded: collapsed at first. on: renderers that show it."""

    title: str
    blocks: Sequence[Block]
    folded: bool = False
    on: tuple[Where, ...] = TEXT


@dataclass(frozen=True)
class Tile:
    """A number at the head of a page. kind: good, bad, unsure or plain."""

    label: str
    value: str | int
    kind: str = "plain"


@dataclass(frozen=True)
class Case:
    """A JUnit test case. finding: why it did not pass. note: what is to be said of it all the same."""

    name: str
    seconds: float
    finding: Finding | None = None
    note: str = ""

    @property
    def outcome(self) -> Outcome:
        return "passed" if self.finding is None else self.finding.outcome


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """The items by key, in the order in which they come."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def suites_of(
    items: Iterable[T], suite: Callable[[T], str], case: Callable[[T], Case]
) -> dict[str, list[Case]]:
    """A JUnit case for each item."""
    return {name: [case(item) for item in of] for name, of in grouped(items, suite).items()}


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
    tiles: Sequence[Tile] = ()
    sections: Sequence[Section]
    run: Mapping[str, Any] | None
    suites: Mapping[str, Sequence[Case]] = field(default_factory=dict)

    @property
    def unfinished(self) -> bool:
        return self.run is not None and not self.run.get("finished", True)

    def shown(self, where: Where) -> list[Section]:
        """Sections and blocks that have something to show."""
        there = [replace(s, blocks=[b for b in s.blocks if b]) for s in self.sections if where in s.on]
        return [section for section in there if section.blocks]


def anchor(*words: str) -> str:
    """An id from words: equal words give equal ids, different words different ones."""
    return "i-" + "".join(
        c if c.isascii() and (c.isalnum() or c in "_.-") else f"~{ord(c):x}~" for c in "-".join(words)
    )
