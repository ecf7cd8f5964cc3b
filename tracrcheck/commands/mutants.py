"""`tracrcheck mutants`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from tracrcheck.commands.arguments import ClusterAddress, Comment, Html, Json, Junit
from tracrcheck.commands.errors import told


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
    cluster: ClusterAddress = None,
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
    from tracrcheck.commands import options
    from tracrcheck.executors import dask_cluster as clusters
    from tracrcheck.reports import files
    from tracrcheck.reports import mutants as report
    from tracrcheck.reports.context import Beside
    from tracrcheck.reports.outputs import Outputs
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs import mutants as runner
    from tracrcheck.runs.base import finished_there, open_ledger
    from tracrcheck.runs.mutant_results import MutantResults

    given = {"only": bool(only), "by": by != "gauntlet", "list": listed, "unchecked": unchecked}
    given |= {"html": html is not None, "junit": junit is not None, "md": md is not None}
    options.check_without_faults(false_alarms, given)
    chosen = runner.chosen(only or [])
    if listed:
        terminal.show(report.names(chosen))
        return
    outputs = Outputs(json=json, html=html, junit=junit, md=md)
    outputs.check()
    clusters.check(cluster, jobs=jobs)
    options.check_elsewhere(cluster, by)
    if false_alarms is not None:
        raise typer.Exit(_without_faults(false_alarms, jobs=jobs, cluster=cluster, json=json, resume=resume))
    job = runner.job_by(by)
    header = runner.header_of(chosen, job, shlex.join(["tracrcheck", *sys.argv[1:]]), by=by)
    if resume and finished_there(json, header):
        typer.echo(f"{json} is this run, finished: there is nothing to resume", err=True)
        raise typer.Exit(runner.exit_code_there(cast(Path, json)))
    with open_ledger(json, header, resume=resume) as ledger:
        hunt = runner.Hunt(chosen, job, header, by=by, jobs=jobs, cluster=cluster, ledger=ledger)
        if hunt.resumed:
            typer.echo(f"resumed: {hunt.resumed} of {len(chosen)} faults were run before", err=True)
        try:
            if not unchecked and not hunt.resumed:
                runner.check_unmutated(job, by=by)
            for found in terminal.progress(hunt.go(), hunt.left, "mutants"):
                typer.echo(report.line(found), err=True)
        except KeyboardInterrupt:
            hunt.interrupted = True
        results = MutantResults(path=json or Path(), run=hunt.record(), found=tuple(hunt.found))
        terminal.show_document(report.document(results))
        files.write_json(json, results.document, a_line_each=("mutants",))
        hunt.written()
    if hunt.interrupted:
        typer.echo("interrupted: these are the faults that were run", err=True)
    outputs.write(results, Beside())
    raise typer.Exit(hunt.exit_code)


def _without_faults(runs: int, *, jobs: int, cluster: str | None, json: Json, resume: bool) -> int:
    from tracrcheck.reports import false_alarms as report
    from tracrcheck.reports import files
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs import false_alarms
    from tracrcheck.runs import mutants as runner
    from tracrcheck.runs.base import open_ledger
    from tracrcheck.runs.false_alarm_results import FalseAlarmResults, document

    seeds, job = false_alarms.seeds_of(runs), runner.job_by("gauntlet")
    header = false_alarms.header_of(seeds, job, shlex.join(["tracrcheck", *sys.argv[1:]]))
    with open_ledger(json, header, resume=resume) as ledger:
        going = false_alarms.FalseAlarms(seeds, job, header, jobs=jobs, cluster=cluster, ledger=ledger)
        if going.resumed:
            typer.echo(f"resumed: {going.resumed} of {runs} runs were made before", err=True)
        try:
            for run in terminal.progress(going.go(), going.left, "runs"):
                typer.echo(report.line(run), err=True)
        except KeyboardInterrupt:
            going.interrupted = True
        made = FalseAlarmResults(path=json or Path(), run=going.record(), runs=tuple(going.runs))
        terminal.show_document(report.document(made))
        files.write_json(json, document(going.record(), going.runs), a_line_each=("runs",))
        going.written()
    if going.interrupted:
        typer.echo("interrupted: these are the runs that were finished", err=True)
    return going.exit_code
