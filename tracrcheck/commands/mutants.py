"""`tracrcheck mutants`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from tracrcheck.commands.arguments import ClusterAddress, Json
from tracrcheck.commands.telling import told


@told
def mutants(
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="This fault. Repeatable.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Name the faults, and run none.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at work.")] = 1,
    cluster: ClusterAddress = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Do not run the checks on the code as it is first.")
    ] = False,
    json: Json = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped (with --json).")
    ] = False,
) -> None:
    """Seed faults in copies of the core, one at a time: exit 1 where all checks stay green."""
    from tracrcheck import cluster as clusters
    from tracrcheck.mutants import runner
    from tracrcheck.reports import console, files
    from tracrcheck.reports import mutants as report
    from tracrcheck.run import finished_there, open_ledger

    chosen = runner.chosen(only or [])
    if listed:
        console.show(report.names(chosen))
        return
    files.check_writable(json)
    clusters.check(cluster, jobs=jobs)
    job = runner.job_of(runner.PROFILE.programs or (), runner.PROFILE.ablations)
    header = runner.header_of(chosen, job, shlex.join(["tracrcheck", *sys.argv[1:]]))
    if resume and finished_there(json, header):
        typer.echo(f"{json} is this run, finished: there is nothing to resume", err=True)
        raise typer.Exit(runner.exit_code_there(cast(Path, json)))
    with open_ledger(json, header, resume=resume) as ledger:
        hunt = runner.Hunt(chosen, job, header, jobs=jobs, cluster=cluster, ledger=ledger)
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
        files.write_json(json, report.document(hunt), a_line_each=("mutants",))
        hunt.written()
    raise typer.Exit(hunt.exit_code)
