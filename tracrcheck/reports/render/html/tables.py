"""Tables that a reader can sort and filter; without a script they are plain tables.

End tags of rows and cells are left out, as the HTML standard allows (13.1.2.4): thousands of verdicts stay small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracrcheck.reports.render.html.elements import Child, Html, plain, tag, text

# Rows below which there is nothing to look for.
FILTERED_FROM = 5


@dataclass(frozen=True, kw_only=True)
class Column:
    """number: sorted by value and aligned. choice: filtered by one of the values that stand there."""

    name: str
    number: bool = False
    choice: bool = False


@dataclass(frozen=True, kw_only=True)
class Cell:
    """sort: by what, where it is not the text that stands there; a choice is made by it, too."""

    shown: Child
    sort: str | float | None = None


Row = Sequence[Child | Cell]


def data_table(caption: str, columns: Sequence[Column], rows: Sequence[Row]) -> Html:
    """The first column names the row. Rows are in the order given until one is asked for."""
    head = "".join(map(_heading, columns))
    body = "\n".join(_row(row, columns) for row in rows)
    table = Html(
        f"<table><caption>{text(caption)}</caption><thead><tr>{head}</thead>\n<tbody>{body}</tbody></table>"
    )
    scroll = tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=caption)
    controls = _controls(caption, columns, rows) if len(rows) >= FILTERED_FROM else None
    return tag("div", controls, scroll, class_="data")


def _heading(column: Column) -> str:
    kind = "number" if column.number else "words"
    button = tag("button", column.name, type="button")
    return f'<th scope="col" class="{kind}" aria-sort="none">{button}</th>'


def _row(row: Row, columns: Sequence[Column]) -> str:
    assert len(row) == len(columns), f"{len(row)} cells for {len(columns)} columns"
    parts = []
    for place, (cell, column) in enumerate(zip(row, columns, strict=True)):
        shown, sort = (cell.shown, cell.sort) if isinstance(cell, Cell) else (cell, None)
        by = "" if sort is None else f' data-by="{text(str(sort))}"'
        number = " class=n" if column.number else ""
        parts.append(f"<th scope=row{by}>{text(shown)}" if place == 0 else f"<td{number}{by}>{text(shown)}")
    return f"<tr>{''.join(parts)}"


def _controls(caption: str, columns: Sequence[Column], rows: Sequence[Row]) -> Html:
    search = tag("label", "Find ", tag("input", type="search", placeholder="any text of a row"))
    choices = [_choice(place, columns[place], rows) for place in range(len(columns)) if columns[place].choice]
    n = f"{len(rows):,} rows"
    return tag(
        "div",
        search,
        *choices,
        tag("span", n, class_="shown", role="status"),
        class_="controls",
        hidden=True,
        role="search",
        aria_label=f"Filter: {caption}",
    )


def _choice(place: int, column: Column, rows: Sequence[Row]) -> Html:
    values = dict.fromkeys(_value(row[place]) for row in rows)
    options = [tag("option", f"any {column.name}", value="")]
    options += [tag("option", value, value=value) for value in values if value]
    label = tag("span", column.name, class_="unseen")
    return tag("label", label, tag("select", *options, data_column=place))


def _value(cell: Child | Cell) -> str:
    if isinstance(cell, Cell):
        return plain(cell.shown) if cell.sort is None else str(cell.sort)
    return plain(cell)


def facts(rows: Sequence[tuple[str, Child]]) -> Html:
    """Names and what they are."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in rows), class_="facts")


def bullets(items: Sequence[Child]) -> Html:
    return tag("ul", *(tag("li", item) for item in items)) if items else Html("")
