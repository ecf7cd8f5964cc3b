"""`tracrcheck invariants`."""

from __future__ import annotations

from typing import Annotated

import typer

from tracrcheck.commands.arguments import MOST_SEEDS, RunOptions, seed_option
from tracrcheck.commands.base import command, command_line
from tracrcheck.commands.loading import loading


@command
def invariants(
    run: RunOptions,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this invariant. Repeatable.")
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_SEEDS, help="Number of seeds; each draws different models and programs."
        ),
    ] = 1,
    first: Annotated[int, seed_option("The first seed.")] = 0,
    programs: Annotated[
        int, typer.Option(min=0, help="Random programs per seed, in addition to three random models.")
    ] = 1,
    stop: Annotated[bool, typer.Option("--stop", help="Stop at the first broken invariant.")] = False,
) -> None:
    """Check the invariants of every model, mask and method. Exit 1 if one is broken."""
    with loading():
        from tracrcheck.commands.resumable import run_or_read
        from tracrcheck.invariants.runner import chosen
        from tracrcheck.reports.invariants import document
        from tracrcheck.runs.invariants import INVARIANT_RUNS, Campaign, Plan

    plan = Plan(
        invariants=tuple(invariant.name for invariant in chosen(only or [])),
        seeds=tuple(range(first, first + seeds)),
        programs=programs,
    )
    header, workers = plan.header(command_line()), run.workers()
    run_or_read(
        INVARIANT_RUNS,
        header,
        lambda ledger: Campaign(plan, header, ledger, workers, stop=stop),
        run,
        document=document,
    ).end()
