"""`tracrcheck report` and `recheck`: results files, shown and checked."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from tracrcheck.commands.arguments import Folders
from tracrcheck.commands.telling import told

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="Written by `gate --json`, `fuzz --json` or `invariants --json`."),
]


@told
def report(
    file: File,
    md: Annotated[
        Path | None, typer.Option("--md", metavar="FILE", help="Write it there; else it is printed.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Results of another version, to compare with.")
    ] = None,
    slower: Annotated[
        float, typer.Option(help="With --baseline: so many times slower is a regression.")
    ] = 2.0,
) -> None:
    """Show a results file as a page of Markdown."""
    from tracrcheck import baseline as comparing
    from tracrcheck import options, results
    from tracrcheck.reports import files
    from tracrcheck.reports.page import page_of

    files.check_writable(md)
    factor = options.check_factor(slower)
    found = results.read_any(file)
    compared = None if baseline is None else comparing.compared(found, baseline, factor=factor)
    page = page_of(found, compared)
    if md is None:
        typer.echo(page, nl=False)
    else:
        files.write_text(md, page)
        typer.echo(f"wrote {md}")


@told
def recheck(
    file: File,
    share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Of the verdicts, or of what was drawn, run again; one at least."),
    ] = 0.02,
    most_seconds: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Of work in what is run again, as it was timed then."),
    ] = 40.0,
    seed: Annotated[
        int | None, typer.Option(help="Of the sample; drawn anew and printed where not given.")
    ] = None,
    folder: Folders = None,
) -> None:
    """Check a results file: its shape, whether it is stale, and a random share of it by running it again."""
    from tracrcheck import recheck as checking
    from tracrcheck import results
    from tracrcheck.library import Library
    from tracrcheck.reports import console, text
    from tracrcheck.reports.rechecked import line_of

    found, library = results.read_any(file), Library.here(folder or [])
    if differs := checking.stale(found, library):
        console.show(*text.stale_lines(found, differs))
        raise typer.Exit(0)
    number = secrets.randbelow(2**31) if seed is None else seed
    chosen = checking.sample(found.units, share=share, seed=number, most_seconds=most_seconds)
    console.show(text.sample_line(found, len(chosen), number))
    pairs = list(
        console.progress(checking.again(found, chosen, library), checking.n_verdicts(chosen), "recheck")
    )
    different = [pair for pair in pairs if not pair.same]
    for pair in different:
        console.show(line_of(pair))
    console.show(f"{len(pairs) - len(different)} the same, {len(different)} different")
    raise typer.Exit(1 if different else 0)
