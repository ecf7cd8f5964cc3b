"""`tracrcheck new`, `check`, `show` and `explain`: for those who write programs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeprune_core.errors import CheckError
from edgeprune_core.graph import parse_edge
from tracrcheck.commands.arguments import Folders, Name, SettingOptions
from tracrcheck.commands.base import command, command_line, prepared, say_if_sampled, stop_at
from tracrcheck.commands.loading import loading
from tracrcheck.error_codes import user_error
from tracrcheck.rasp.library import Library
from tracrcheck.reports import files
from tracrcheck.reports.render import terminal

if TYPE_CHECKING:
    from tracrcheck.compiler.compile import Compiled
    from tracrcheck.truth.setting import Setting


@command
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the program and of its file.")],
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="The folder to write to.")] = Path(
        "programs"
    ),
) -> None:
    """Write a program file that passes as it is, for you to change."""
    from tracrcheck.rasp.template import new_file

    path = new_file(name, into, {p.stem for p in Library.here().files()})
    typer.echo(f"wrote {path}; now: tracrcheck check {path}")


@command
def check(program: Name, setting: SettingOptions, folder: Folders = None) -> None:
    """Compare interpreter, reference, torch and JAX on the whole domain, and certify. Reports all problems at once."""
    entry = Library.here(folder or []).load(program)
    settings = setting.settings(["all"], entries=[entry])
    with loading():
        from tracrcheck.reports import program as report
        from tracrcheck.truth import program_check

    before = partial(_announce, settings)
    found = program_check.check(entry, settings, before=before, progress=terminal.progress)
    terminal.show(*report.checkup_parts(found))
    stop_at(found.problems)
    raise typer.Exit(0 if found.proved else 1)


@command
def show(
    program: Name,
    setting: SettingOptions,
    folder: Folders = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".svg, .html or .dot.")] = None,
) -> None:
    """Draw the circuit: required edges solid, permitted ones faint. Without --out, a tree."""
    files.check_writable(out)
    entry = Library.here(folder or []).load(program)
    settings = setting.settings(["zero"], entries=[entry])
    with loading():
        from tracrcheck.reports import program as report
        from tracrcheck.runs.base import made_now
        from tracrcheck.truth import cache

    if out is not None:
        report.kind_of(out)
        if len(settings) > 1:
            raise user_error("TC117.picture", where="--ablation", got=len(settings))
    (compiled,) = prepared([entry], settings)
    for one in settings:
        certificate = cache.certificate_of(compiled, one)
        if out is None:
            terminal.show(report.tree(compiled, certificate))
        else:
            run = made_now(command_line())
            files.write_text(out, report.draw(compiled, certificate, report.kind_of(out), run))
            typer.echo(f"wrote {out}")


@command
def explain(
    program: Name,
    edge: Annotated[str, typer.Argument(metavar="EDGE", help="Such as 'a0.h0 -> m0'.")],
    setting: SettingOptions,
    folder: Folders = None,
) -> None:
    """Say why an edge is required or not."""
    try:
        parse_edge(edge)
    except CheckError as error:
        raise error.at(program) from None
    entry = Library.here(folder or []).load(program)
    settings = setting.settings(["zero"], entries=[entry])
    with loading():
        from tracrcheck.grading.explain import explain as explanation_of
        from tracrcheck.reports import program as report

    (compiled,) = prepared([entry], settings)
    for one in settings:
        try:
            found = explanation_of(compiled, one, edge)
        except CheckError as error:
            raise error.at(compiled.program.name) from None
        typer.echo(report.explanation_block(compiled, one.ablation, found))


def _announce(settings: Sequence[Setting], compiled: Compiled, seconds: float | None) -> None:
    say_if_sampled(compiled, settings)
    if seconds is not None:
        typer.echo(
            f"{compiled.program.name}: {compiled.graph.n_edges:,} edges, {len(compiled.domain.inputs):,} inputs: "
            f"about {max(1, round(seconds)):,} s, and the search for smaller circuits",
            err=True,
        )
