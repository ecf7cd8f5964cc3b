"""Terminal output: results on standard output, errors and progress on standard error."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from edgeprune_core.errors import CheckError
from tracrcheck.reports.document import (
    Block,
    Document,
    Drawing,
    Facts,
    Findings,
    Grid,
    Lines,
    Plot,
    Table,
    plain,
)
from tracrcheck.reports.findings import block as in_lines
from tracrcheck.reports.render.sanitize import shown

T = TypeVar("T")

# Width if the output is not a terminal and COLUMNS is not set: wide enough for most rows.
WIDTH = 160
# Seconds between two lines of progress if the output is not a terminal.
EVERY = 30.0
WORD = re.compile(r"^\s*\S*|\S+")  # the first with its indentation


def out() -> Console:
    return _console(stderr=False)


def show(*parts: RenderableType | Block) -> None:
    """Prints tables, which fit the terminal, and text, whose lines stay whole so that they can be searched and copied."""
    console = out()
    for part in parts:
        for one in _rendered(part, console.width):
            console.print(shown(one) if isinstance(one, str) else one, soft_wrap=isinstance(one, str))


def show_document(document: Document) -> None:
    """Prints findings below everything else, then the figures: the last lines are the ones people read."""
    findings: list[Block] = []
    for section in document.shown("terminal"):
        if any(isinstance(block, (Facts, Lines)) for block in section.blocks):
            show("", section.title)
        for block in section.blocks:
            if isinstance(block, Findings):
                findings.append(block)
            else:
                show(block)
    show(*findings, "", *document.summary)


def _rendered(part: RenderableType | Block, width: int) -> list[RenderableType]:
    match part:
        case Table():
            above = [part.above] if part.above else []
            return [*above, _table(part.narrow(), width), *([part.note] if part.note else [])]
        case Findings(of=findings):
            return [line for finding in findings for line in ("", in_lines(finding))]
        case Facts(rows=rows):
            longest = max(len(name) for name, _ in rows)
            return [f"  {name:<{longest}}  {plain(value)}" for name, value in rows]
        case Lines(lines=lines):
            return [f"  {line}" for line in lines]
        case Drawing() | Plot() | Grid():
            return []
    return [part]


def _table(block: Table, width: int) -> RichTable:
    """Cells wrap between words. Where not even the longest words of all columns fit side by side, each row is a list of its
    cells. Nothing is cut off."""
    rows = [[shown(plain(cell)) for cell in row] for row in block.rows]
    texts = [[column.name, *(row[n] for row in rows)] for n, column in enumerate(block.columns)]
    longest = [max(len(word) for text in of for word in WORD.findall(text)) for of in texts]
    if sum(longest) + len(longest) - 1 > width:
        return _listed([column.name for column in block.columns], rows)
    made = RichTable(box=None, pad_edge=False, header_style="bold")
    for column, least in zip(block.columns, longest, strict=True):
        made.add_column(
            column.name, justify="right" if column.number else "left", overflow="fold", min_width=least
        )
    for row in rows:
        made.add_row(*row)
    return made


def _listed(names: Sequence[str], rows: Sequence[Sequence[str]]) -> RichTable:
    """Names and cells in two columns, with an empty line between rows."""
    made = RichTable(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold", overflow="fold")
    made.add_column(overflow="fold")
    for row in rows:
        for name, cell in zip(names, row, strict=True):
            if cell:
                made.add_row(name, cell)
        made.add_row()
    return made


def err() -> Console:
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else int(os.environ.get("COLUMNS") or WIDTH)
    return Console(file=stream, width=width, highlight=False, markup=False, soft_wrap=False)


def show_error(error: CheckError) -> None:
    """Prints an error without wrapping it, so that it can be searched and copied."""
    sys.stderr.write(f"{shown(str(error))}\n")


@contextmanager
def still_running(label: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """Off a terminal, writes a line every `EVERY` seconds. Yields what counts a finished item, of `total`."""
    finished, over, started = 0, threading.Event(), time.monotonic()

    def write() -> None:
        while not (over.wait(EVERY) or sys.stderr.isatty()):
            seconds = time.monotonic() - started
            counted = "running" if total is None else f"{finished} of {total}"
            sys.stderr.write(f"{label}: {counted} after {seconds:.0f} s\n")
            sys.stderr.flush()

    def count() -> None:
        nonlocal finished
        finished += 1

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield count
    finally:
        over.set()
        thread.join()


def progress(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    """Yields the items, with a progress bar on a terminal, and elsewhere with a line on standard error every half minute."""
    if not sys.stderr.isatty():
        with still_running(label, total) as count:
            for item in items:
                yield item
                count()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task)
