"""`tracrcheck invariants`."""

from __future__ import annotations

from typing import Annotated

import typer

from tracrcheck.commands.arguments import Json
from tracrcheck.commands.telling import told


@told
def invariants(
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="This invariant. Repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds: each draws other models and programs.")] = 1,
    first: Annotated[int, typer.Option(min=0, help="The first of them.")] = 0,
    programs: Annotated[
        int, typer.Option(min=0, help="Programs drawn a seed, beside three random models.")
    ] = 1,
    stop: Annotated[bool, typer.Option("--stop", help="Stop at the first that is broken.")] = False,
    json: Json = None,
) -> None:
    """Check what must hold of every model, mask and method; exit 1 where something does not."""
    from tracrcheck.invariants.runner import check_all, chosen
    from tracrcheck.reports import console, files
    from tracrcheck.reports.invariants import document, summary, table

    files.check_writable(json)
    wanted = chosen(only or [])
    checks = check_all(wanted, range(first, first + seeds), programs=programs, stop=stop)
    done = list(console.progress(checks, len(wanted) * seeds * (3 + programs), "check"))
    console.show(table(done), summary(done))
    files.write_json(json, document(done), a_line_each=("checks",))
    if any(checked.red for checked in done):
        raise typer.Exit(1)
