"""`tracrcheck mutants`."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from tracrcheck.commands.arguments import Json
from tracrcheck.commands.telling import told


@told
def mutants(
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="This fault. Repeatable.")] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="WAY", help="gauntlet: every invariant, then a small gate; suite: the default tests."
        ),
    ] = "gauntlet",
    listed: Annotated[bool, typer.Option("--list", help="Name the faults, and run none.")] = False,
    false_alarms: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="No fault at all: the gauntlet on the code as it is, N seeds."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at work.")] = 1,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Do not run the checks on the code as it is first.")
    ] = False,
    json: Json = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped (with --json).")
    ] = False,
) -> None:
    """Seed faults in copies of the core, one at a time: exit 1 where all checks stay green."""
    from tracrcheck import options
    from tracrcheck.mutant_results import document
    from tracrcheck.mutants import runner
    from tracrcheck.reports import console, files
    from tracrcheck.reports import mutants as report
    from tracrcheck.run import open_ledger

    given = {"only": bool(only), "by": by != "gauntlet", "list": listed, "unchecked": unchecked}
    options.check_without_faults(false_alarms, given)
    chosen = runner.chosen(only or [])
    if listed:
        console.show(report.names(chosen))
        return
    files.check_writable(json)
    if false_alarms is not None:
        raise typer.Exit(_without_faults(false_alarms, jobs=jobs, json=json, resume=resume))
    job = runner.job_by(by)
    header = runner.header_of(chosen, job, shlex.join(["tracrcheck", *sys.argv[1:]]), by=by)
    with open_ledger(json, header, resume=resume) as ledger:
        hunt = runner.Hunt(chosen, job, header, by=by, jobs=jobs, ledger=ledger)
        if hunt.resumed:
            typer.echo(f"resumed: {hunt.resumed} of {len(chosen)} faults were run before", err=True)
        try:
            if not unchecked and not hunt.resumed:
                runner.check_unmutated(job, by=by)
            for found in console.progress(hunt.go(), hunt.left, "mutants"):
                typer.echo(report.line(found), err=True)
        except KeyboardInterrupt:
            hunt.interrupted = True
        console.show(report.table(hunt.found), report.summary(hunt.found))
        files.write_json(json, document(hunt.record(), hunt.found), a_line_each=("mutants",))
        hunt.written()
    raise typer.Exit(hunt.exit_code)


def _without_faults(runs: int, *, jobs: int, json: Json, resume: bool) -> int:
    from tracrcheck.false_alarm_results import document
    from tracrcheck.mutants import false_alarms, runner
    from tracrcheck.reports import console, files
    from tracrcheck.reports import false_alarms as report
    from tracrcheck.run import open_ledger

    seeds, job = false_alarms.seeds_of(runs), runner.job_by("gauntlet")
    header = false_alarms.header_of(seeds, job, shlex.join(["tracrcheck", *sys.argv[1:]]))
    with open_ledger(json, header, resume=resume) as ledger:
        going = false_alarms.FalseAlarms(seeds, job, header, jobs=jobs, ledger=ledger)
        if going.resumed:
            typer.echo(f"resumed: {going.resumed} of {runs} runs were made before", err=True)
        try:
            for run in console.progress(going.go(), going.left, "runs"):
                typer.echo(report.line(run), err=True)
        except KeyboardInterrupt:
            going.interrupted = True
        console.show(report.summary(going.runs))
        files.write_json(json, document(going.record(), going.runs), a_line_each=("runs",))
        going.written()
    return going.exit_code
