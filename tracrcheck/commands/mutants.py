"""`tracrcheck mutants`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tracrcheck.commands.arguments import ClusterAddress, Comment, Html, Json, Junit
from tracrcheck.commands.errors import told
from tracrcheck.commands.loading import loading

if TYPE_CHECKING:
    from tracrcheck.reports.outputs import Outputs
    from tracrcheck.runs.mutants import Battery, Mutant


@told
def mutants(
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this fault. Repeatable.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the faults, and run none.")] = False,
    false_alarms: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Seed no fault: run the gauntlet on the unchanged code with N seeds."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    cluster: ClusterAddress = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Do not run the checks on the unchanged code first.")
    ] = False,
    json: Json = None,
    html: Html = None,
    junit: Junit = None,
    md: Comment = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped (with --json).")
    ] = False,
) -> None:
    """Seed faults in copies of the core, one at a time. Exit 1 if all checks stay green on one."""
    from tracrcheck.commands import options
    from tracrcheck.executors import dask_cluster as clusters
    from tracrcheck.reports.outputs import Outputs
    from tracrcheck.reports.render import terminal

    given = {"only": bool(only), "list": listed, "unchecked": unchecked}
    given |= {"html": html is not None, "junit": junit is not None, "md": md is not None}
    options.check_without_faults(false_alarms, given)
    outputs = Outputs(json=json, html=html, junit=junit, md=md)
    outputs.check()
    with loading():
        from tracrcheck.commands.resumable import command_line
        from tracrcheck.reports import mutants as report
        from tracrcheck.runs import mutants as runner

    if listed:
        terminal.show(report.names(runner.chosen(only or [], by="any")))
        return
    chosen = runner.chosen(only or [])
    clusters.check(cluster, jobs=jobs)
    if false_alarms is not None:
        _without_faults(false_alarms, outputs, jobs=jobs, cluster=cluster, resume=resume)
    hunt(
        chosen, runner.gauntlet(), command_line(), outputs,
        jobs=jobs, cluster=cluster, unchecked=unchecked, resume=resume,
    )  # fmt: skip


def hunt(
    chosen: Sequence[Mutant], battery: Battery, command: str, outputs: Outputs, *, jobs: int,
    cluster: str | None = None, unchecked: bool, resume: bool,
) -> NoReturn:  # fmt: skip
    """Hunts the chosen faults, shows and writes the results, and exits. command: as it was typed."""
    from tracrcheck.commands.resumable import run_or_read
    from tracrcheck.reports import mutants as report
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs import mutants as runner

    header = runner.header_of(chosen, battery, command)
    done = run_or_read(
        runner.MUTANT_RUNS,
        header,
        lambda ledger: runner.Hunt(
            chosen, battery, header, jobs=jobs, cluster=cluster, unchecked=unchecked, ledger=ledger
        ),
        outputs=outputs,
        resume=resume,
        show=lambda results: terminal.show_document(report.document(results)),
        line=report.line,
    )
    done.end(done.results.exit_code)


def _without_faults(n: int, outputs: Outputs, *, jobs: int, cluster: str | None, resume: bool) -> NoReturn:
    from tracrcheck.commands.resumable import command_line, run_or_read
    from tracrcheck.reports import false_alarms as report
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs import false_alarms, mutants

    seeds, job = false_alarms.seeds_of(n), mutants.gauntlet().job
    header = false_alarms.header_of(seeds, job, command_line())
    done = run_or_read(
        false_alarms.FALSE_ALARMS,
        header,
        lambda ledger: false_alarms.FalseAlarms(
            seeds, job, header, jobs=jobs, cluster=cluster, ledger=ledger
        ),
        outputs=outputs,
        resume=resume,
        show=lambda results: terminal.show_document(report.document(results)),
        line=report.line,
    )
    done.end(done.results.exit_code)
