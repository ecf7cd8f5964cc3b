"""`tracrcheck invariants`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from tracrcheck.commands.arguments import LARGEST_SEED, MOST_SEEDS, ClusterAddress, Json
from tracrcheck.commands.errors import told


@told
def invariants(
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="This invariant. Repeatable.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=MOST_SEEDS, help="Seeds: each draws other models and programs.")
    ] = 1,
    first: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="The first of them.")] = 0,
    programs: Annotated[
        int, typer.Option(min=0, help="Programs drawn a seed, beside three random models.")
    ] = 1,
    stop: Annotated[bool, typer.Option("--stop", help="Stop at the first that is broken.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes, a seed each.")] = 1,
    cluster: ClusterAddress = None,
    json: Json = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped (with --json).")
    ] = False,
) -> None:
    """Check what must hold of every model, mask and method; exit 1 where something does not."""
    from tracrcheck.executors import dask_cluster as clusters
    from tracrcheck.invariants.runner import chosen
    from tracrcheck.reports import files
    from tracrcheck.reports import invariants as report
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs import results
    from tracrcheck.runs.base import finished_there, open_ledger
    from tracrcheck.runs.invariant_results import InvariantResults, document
    from tracrcheck.runs.invariants import Campaign, Plan

    files.check_writable(json)
    plan = Plan(
        invariants=tuple(invariant.name for invariant in chosen(only or [])),
        seeds=tuple(range(first, first + seeds)),
        programs=programs,
        jobs=jobs,
        cluster=clusters.check(cluster, jobs=jobs),
        stop=stop,
    )
    header = plan.header(shlex.join(["tracrcheck", *sys.argv[1:]]))
    if resume and finished_there(json, header):
        typer.echo(f"{json} is this run, finished: there is nothing to resume", err=True)
        there = cast(InvariantResults, results.read_any(cast(Path, json))).checks
        raise typer.Exit(1 if any(check.red for check in there) else 0)
    with open_ledger(json, header, resume=resume) as ledger:
        run = Campaign(plan, header, ledger)
        if run.resumed:
            typer.echo(f"resumed: {run.resumed} of {seeds} seeds were finished before", err=True)
        most = len(plan.invariants) * run.left * (3 + programs)
        try:
            for _ in terminal.progress(run.go(), most, "check"):
                pass
        except KeyboardInterrupt:
            run.interrupted = True
        made = InvariantResults(path=json or Path(), run=run.record(), checks=tuple(run.checks))
        terminal.show_document(report.document(made))
        files.write_json(json, document(run.record(), run.checks), a_line_each=("checks",))
        run.written()
    if run.interrupted:
        typer.echo("interrupted: these are the seeds that were finished", err=True)
        raise typer.Exit(130)
    if any(check.red for check in run.checks):
        raise typer.Exit(1)
