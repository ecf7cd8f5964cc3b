"""`tracrcheck new`, `check`, `show` and `explain`: for those who write programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeprune_core.errors import CheckError
from edgeprune_core.graph import parse_edge
from tracrcheck.commands.arguments import Ablations, Criterion, Folders, Lengths, Name, ScoreBos
from tracrcheck.commands.errors import stop_at, told
from tracrcheck.commands.loading import loading
from tracrcheck.error_codes import user_error


@told
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the program and of its file.")],
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="The folder to write to.")] = Path(
        "programs"
    ),
) -> None:
    """Write a program file that passes as it is, for you to change."""
    from tracrcheck.rasp.library import Library
    from tracrcheck.rasp.template import new_file

    path = new_file(name, into, {p.stem for p in Library.here().files()})
    typer.echo(f"wrote {path}; now: tracrcheck check {path}")


@told
def check(
    program: Name,
    folder: Folders = None,
    ablation: Ablations = None,
    criterion: Criterion = "value",
    lengths: Lengths = None,
    score_bos: ScoreBos = False,
) -> None:
    """Compare interpreter, reference, torch and JAX on the whole domain, and certify. Reports all problems at once."""
    from tracrcheck.commands import options
    from tracrcheck.rasp.library import Library
    from tracrcheck.reports.render import terminal

    settings = options.settings_of(ablation or ["all"], [criterion], lengths, score_bos)
    entry = Library.here(folder or []).load(program)
    with loading():
        from tracrcheck.reports import program as report
        from tracrcheck.truth import program_check

    found = program_check.check(entry, settings)
    terminal.show(*report.checkup_parts(found))
    stop_at(found.problems)
    raise typer.Exit(0 if found.proved else 1)


@told
def show(
    program: Name,
    ablation: Ablations = None,
    criterion: Criterion = "value",
    lengths: Lengths = None,
    score_bos: ScoreBos = False,
    folder: Folders = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".svg, .html or .dot.")] = None,
) -> None:
    """Draw the circuit: required edges solid, permitted ones faint. Without --out, a tree."""
    from tracrcheck.commands import options
    from tracrcheck.rasp.library import Library
    from tracrcheck.reports import files
    from tracrcheck.reports.render import terminal

    settings = options.settings_of(ablation or ["zero"], [criterion], lengths, score_bos)
    files.check_writable(out)
    entry = Library.here(folder or []).load(program)
    with loading():
        from tracrcheck.reports import program as report
        from tracrcheck.truth import cache
        from tracrcheck.truth.program_check import prepare

    if out is not None:
        report.kind_of(out)
        if len(settings) > 1:
            raise user_error("TC117.picture", where="--ablation", got=len(settings))
    ready, wrong = prepare([entry], settings)
    stop_at(wrong)
    for setting in settings:
        certificate = cache.certificate_of(ready[0], setting)
        if out is None:
            terminal.show(report.tree(ready[0], certificate))
        else:
            files.write_text(out, report.draw(ready[0], certificate, report.kind_of(out)))
            typer.echo(f"wrote {out}")


@told
def explain(
    program: Name,
    edge: Annotated[str, typer.Argument(metavar="EDGE", help="Such as 'a0.h0 -> m0'.")],
    ablation: Ablations = None,
    criterion: Criterion = "value",
    lengths: Lengths = None,
    score_bos: ScoreBos = False,
    folder: Folders = None,
) -> None:
    """Say why an edge is required or not."""
    from tracrcheck.commands import options
    from tracrcheck.rasp.library import Library

    settings = options.settings_of(ablation or ["zero"], [criterion], lengths, score_bos)
    try:
        parse_edge(edge)
    except CheckError as error:
        raise error.at(program) from None
    entry = Library.here(folder or []).load(program)
    with loading():
        from tracrcheck.grading.explain import explain as explanation_of
        from tracrcheck.reports import program as report
        from tracrcheck.truth.program_check import prepare

    ready, wrong = prepare([entry], settings)
    stop_at(wrong)
    for setting in settings:
        try:
            found = explanation_of(ready[0], setting, edge)
        except CheckError as error:
            raise error.at(ready[0].program.name) from None
        typer.echo(report.explanation_block(ready[0], setting.ablation, found))
