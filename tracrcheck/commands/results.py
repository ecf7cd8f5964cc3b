"""`tracrcheck report` and `recheck`: results files, shown and checked."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tracrcheck.commands.arguments import BaselineOptions, Folders, Html, Junit, seed_option
from tracrcheck.commands.base import command
from tracrcheck.commands.loading import loading
from tracrcheck.rasp.library import Library
from tracrcheck.reports import files, text
from tracrcheck.reports.outputs import Outputs
from tracrcheck.reports.render import terminal


@command
def report(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A results file, written by --json of a command that also has --html."
        ),
    ],
    baseline: BaselineOptions,
    md: Annotated[
        Path | None,
        typer.Option("--md", metavar="FILE", help="Write Markdown to this file. By default it is printed."),
    ] = None,
    short: Annotated[
        bool, typer.Option("--short", help="Short Markdown for a pull request, failures first.")
    ] = False,
    html: Html = None,
    junit: Junit = None,
    compact: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the same results to this file; rows that differ in their seed become one.",
        ),
    ] = None,
    folder: Folders = None,
) -> None:
    """Show a results file as Markdown, as a page for a browser, or as JUnit XML; or write a smaller one."""
    Outputs(html=html, junit=junit, md=md).check()
    files.check_writable(compact)
    from tracrcheck.reports import saved

    with loading():
        found = saved.read(file)
        from tracrcheck.reports.context import context_of
        from tracrcheck.reports.kinds import comment_of, page_of
        from tracrcheck.runs.baseline import compared

    before = baseline.baseline
    against = None if before is None else compared(found, before, factor=baseline.slower)
    context = context_of(found, Library.here(folder or []), drawn=html is not None)
    context = replace(context, compared=against)
    wanted = md is not None or short or (html, junit, compact) == (None, None, None)
    page = (comment_of if short else page_of)(found, context) if wanted else ""
    Outputs(html=html, junit=junit).write(found, context)
    if compact is not None:
        saved.write_compact(found, compact)
    if md is not None:
        files.write_text(md, page)
    elif wanted:
        typer.echo(page, nl=False)
    for path in (html, junit, md, compact):
        if path is not None:
            typer.echo(f"wrote {path}", err=path != md)


@command
def recheck(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A results file: what --json of a run wrote.",
        ),
    ],
    share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the verdicts (or drawn units) to run again; at least one."),
    ] = 0.02,
    max_seconds: Annotated[
        float,
        typer.Option(
            "--most-seconds",
            min=0,
            metavar="SECONDS",
            help="Run at most this much work again, by the times in the file.",
        ),
    ] = 40.0,
    seed: Annotated[
        int | None, seed_option("Seed of the sample. By default it is drawn, and printed.")
    ] = None,
    folder: Folders = None,
) -> None:
    """Check a results file: its shape, whether it is stale, and a random share of it by running that again."""
    with loading():
        from tracrcheck.runs import recheck as checking
        from tracrcheck.runs.kinds import read_any

    found, library = read_any(file), Library.here(folder or [])
    if lines := text.standing_lines(found, checking.standing(found, library)):
        terminal.show(*lines)
        raise typer.Exit(0)
    number = secrets.randbelow(2**31) if seed is None else seed
    chosen = checking.sample(found.units, share=share, seed=number, max_seconds=max_seconds)
    terminal.show(text.sample_line(found, len(chosen), number))
    pairs = list(
        terminal.progress(checking.again(found, chosen, library), checking.n_pairs(found, chosen), "recheck")
    )
    different = [pair for pair in pairs if not pair.same]
    for pair in different:
        terminal.show(pair.line)
    terminal.show(f"{len(pairs) - len(different)} the same, {len(different)} different")
    raise typer.Exit(1 if different else 0)
