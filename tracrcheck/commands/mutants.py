"""`tracrcheck mutants`."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from tracrcheck.commands.arguments import Comment, Html, Json, Junit
from tracrcheck.commands.telling import told


@told
def mutants(
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="This fault. Repeatable.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Name the faults, and run none.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at work.")] = 1,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Do not run the checks on the code as it is first.")
    ] = False,
    json: Json = None,
    html: Html = None,
    junit: Junit = None,
    md: Comment = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped (with --json).")
    ] = False,
) -> None:
    """Seed faults in copies of the core, one at a time: exit 1 where all checks stay green."""
    from tracrcheck.mutants import runner
    from tracrcheck.reports import console, files
    from tracrcheck.reports import mutants as report
    from tracrcheck.reports.beside import Beside
    from tracrcheck.reports.outputs import Outputs
    from tracrcheck.reports.saved import MutantsFile
    from tracrcheck.run import open_ledger

    chosen = runner.chosen(only or [])
    if listed:
        console.show(report.names(chosen))
        return
    outputs = Outputs(json=json, html=html, junit=junit, md=md)
    outputs.check()
    job = runner.job_of(runner.PROFILE.programs or (), runner.PROFILE.ablations)
    header = runner.header_of(chosen, job, shlex.join(["tracrcheck", *sys.argv[1:]]))
    with open_ledger(json, header, resume=resume) as ledger:
        hunt = runner.Hunt(chosen, job, header, jobs=jobs, ledger=ledger)
        if hunt.resumed:
            typer.echo(f"resumed: {hunt.resumed} of {len(chosen)} faults were run before", err=True)
        try:
            if not unchecked and not hunt.resumed:
                runner.check_unmutated(job)
            for found in console.progress(hunt.go(), hunt.left, "mutants"):
                typer.echo(report.line(found), err=True)
        except KeyboardInterrupt:
            hunt.interrupted = True
        console.show(report.table(hunt.found), report.summary(hunt.found))
        document = report.document(hunt)
        files.write_json(json, document, a_line_each=("mutants",))
        hunt.written()
    outputs.write(MutantsFile(document=document), Beside())
    raise typer.Exit(hunt.exit_code)
