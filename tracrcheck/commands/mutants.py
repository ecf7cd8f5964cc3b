"""`tracrcheck mutants`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tracrcheck.commands.arguments import RunOptions, refuse_beside
from tracrcheck.commands.base import command, command_line
from tracrcheck.commands.loading import loading
from tracrcheck.reports.render import terminal

if TYPE_CHECKING:
    from tracrcheck.runs.mutants import Battery, Mutant

Only = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this fault. Repeatable.")]
Unchecked = Annotated[
    bool, typer.Option("--unchecked", help="Do not run the checks on the unchanged code first.")
]


@command
def mutants(
    run: RunOptions,
    only: Only = None,
    listed: Annotated[bool, typer.Option("--list", help="List the faults, and run none.")] = False,
    false_alarms: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Seed no fault: run the gauntlet on the unchanged code with N seeds."
        ),
    ] = None,
    unchecked: Unchecked = False,
) -> None:
    """Seed faults in copies of the core, one at a time. Exit 1 if the checks miss one."""
    if false_alarms is not None:
        seeded: dict[str, object] = {"--only": only, "--list": listed, "--unchecked": unchecked}
        seeded |= {"--html": run.html, "--junit": run.junit, "--md": run.md}
        refuse_beside("--false-alarms", [name for name, on in seeded.items() if on], code="TC117.seeded")
    with loading():
        from tracrcheck.reports import mutants as report
        from tracrcheck.runs import mutants as runner

    if listed:
        terminal.show(report.names(runner.chosen(only or [], by="any")))
        return
    chosen = runner.chosen(only or [])
    if false_alarms is not None:
        _without_faults(false_alarms, run)
    hunt(chosen, runner.gauntlet, command_line(), run, unchecked=unchecked)


def hunt(
    chosen: Sequence[Mutant], make: Callable[[], Battery], command: str, run: RunOptions, *, unchecked: bool
) -> NoReturn:
    """Hunts the chosen faults, shows and writes the results, and exits.

    make: makes the battery, once the workers are found. command: as it was typed.
    """
    from tracrcheck.commands.resumable import run_or_read
    from tracrcheck.reports import mutants as report
    from tracrcheck.runs import mutants as runner

    workers, battery = run.workers(), make()
    header = runner.header_of(chosen, battery, command)
    run_or_read(
        runner.MUTANT_RUNS,
        header,
        lambda ledger: runner.Hunt(chosen, battery, header, ledger, workers, unchecked=unchecked),
        run,
        document=report.document,
        line=report.line,
    ).end()


def _without_faults(n: int, run: RunOptions) -> NoReturn:
    from tracrcheck.commands.resumable import run_or_read
    from tracrcheck.reports import false_alarms as report
    from tracrcheck.runs.false_alarms import FALSE_ALARMS, FalseAlarms, Plan, seeds_of
    from tracrcheck.runs.mutants import gauntlet

    workers, job = run.workers(), gauntlet().job
    plan = Plan.of(seeds_of(n), job)
    header = plan.header(command_line())
    run_or_read(
        FALSE_ALARMS,
        header,
        lambda ledger: FalseAlarms(plan, job, header, ledger, workers),
        run,
        document=report.document,
        line=report.line,
    ).end()
