"""Where text goes: tables to standard output, errors and progress to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from edgeprune_core.errors import CheckError
from tracrcheck.reports.render.sanitize import shown

T = TypeVar("T")

# Columns where output is no terminal and COLUMNS says nothing: wide enough that tables keep their rows whole.
WIDTH = 160


def out() -> Console:
    return _console(stderr=False)


def show(*parts: RenderableType) -> None:
    """Tables fold where a terminal is narrow; lines of text stay whole, to be searched and copied."""
    console = out()
    for part in parts:
        console.print(shown(part) if isinstance(part, str) else part, soft_wrap=isinstance(part, str))


def err() -> Console:
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else int(os.environ.get("COLUMNS") or WIDTH)
    return Console(file=stream, width=width, highlight=False, markup=False, soft_wrap=False)


def tell(error: CheckError) -> None:
    """The block of an error, unwrapped: it must survive being searched and copied."""
    sys.stderr.write(f"{shown(str(error))}\n")


def progress(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    """The items; with a bar on a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task)
