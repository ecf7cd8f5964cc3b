"""`tracrcheck fuzz`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tracrcheck.commands.arguments import (
    LARGEST_SEED,
    Ablations,
    ClusterAddress,
    Comment,
    Html,
    Json,
    Junit,
)
from tracrcheck.commands.errors import told

if TYPE_CHECKING:
    from tracrcheck.records.journal import Ledger
    from tracrcheck.runs.fuzz import Campaign, Plan


@told
def fuzz(
    programs: Annotated[int, typer.Option(min=1, help="How many programs, beside those rejected.")] = 100,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the draws.")] = 0,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="edge_pruning, random, ... or module:callable.")
    ] = "edge_pruning",
    ablation: Ablations = None,
    timeout: Annotated[float, typer.Option(help="Seconds a run of the method may take.")] = 1800.0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    cluster: ClusterAddress = None,
    json: Json = None,
    html: Html = None,
    junit: Junit = None,
    md: Comment = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped (with --json).")
    ] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save each failing program there, to be replayed.")
    ] = None,
    number: Annotated[int | None, typer.Option(min=0, help="Only the program of this draw.")] = None,
    replay: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Replay a saved program. Repeatable.")
    ] = None,
) -> None:
    """Run a method on programs that nobody wrote. Exit 1 below the bar, or where a replayed check fails."""
    from tracrcheck.commands import options
    from tracrcheck.executors import dask_cluster as clusters
    from tracrcheck.grading.run_method import find_method
    from tracrcheck.reports import files
    from tracrcheck.reports import fuzz as report
    from tracrcheck.reports.context import Beside
    from tracrcheck.reports.outputs import Outputs
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs import fuzz as campaign
    from tracrcheck.runs import fuzz_score, regressions, results
    from tracrcheck.runs.base import finished_there, open_ledger
    from tracrcheck.runs.fuzz_results import FuzzResults

    options.check_timeout(timeout)
    reports = {"--html": html, "--junit": junit, "--md": md}
    options.check_alone(
        number=number, replay=replay, json=json, resume=resume, reports=reports, cluster=cluster
    )
    find_method(method)
    files.check_folder(save)
    if replay:
        found = [(path, regressions.replay(regressions.read(path), timeout=timeout)) for path in replay]
        terminal.show(*(report.replayed(str(path), done) for path, done in found))
        raise typer.Exit(0 if all(done.passes for _, done in found) else 1)
    plan = campaign.Plan(
        seed=seed,
        programs=programs,
        settings=options.settings_of(ablation or ["all"], ["value"], None, False),
        method=method,
        timeout=timeout,
        jobs=jobs,
        cluster=clusters.check(cluster, jobs=jobs),
    )
    if number is not None:
        _one(plan, number, save)
    outputs = Outputs(json=json, html=html, junit=junit, md=md)
    outputs.check()
    header = plan.header(shlex.join(["tracrcheck", *sys.argv[1:]]))
    if resume and finished_there(json, header):
        typer.echo(f"{json} is this run, finished: there is nothing to resume", err=True)
        there = cast(FuzzResults, results.read_any(cast(Path, json)))
        outputs.write(there, Beside())
        raise typer.Exit(1 if there.score(fuzz_score.Bar()).short else 0)
    with open_ledger(json, header, resume=resume) as ledger:
        run = _sitting(plan, header, ledger)
        score = fuzz_score.score(run)
        terminal.show_document(report.document(FuzzResults.of(run)))
        for path in regressions.save_failures(run.rows, seed=seed, folder=save):
            terminal.show(f"saved {path}")
        files.write_json(json, files.fuzz_document(run, score), a_line_each=("programs", "rows"))
        run.written()
    outputs.write(FuzzResults.of(run), Beside())
    if run.interrupted:
        typer.echo("interrupted: these are the programs that were finished", err=True)
        raise typer.Exit(130)
    raise typer.Exit(1 if score.short else 0)


def _sitting(plan: Plan, header: Mapping[str, Any], ledger: Ledger | None) -> Campaign:
    """The campaign, done as far as it is not interrupted."""
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs.fuzz import Campaign

    run = Campaign(plan, header, ledger)
    if run.resumed:
        typer.echo(f"resumed: {run.resumed} of {plan.programs} programs were finished before", err=True)
    try:
        for _ in terminal.progress(run.draw(), plan.programs, "draw"):
            pass
        for _ in terminal.progress(run.go(), run.left, "fuzz"):
            pass
    except KeyboardInterrupt:
        run.interrupted = True
    return run


def _one(plan: Plan, number: int, save: Path | None) -> None:
    """One draw."""
    from tracrcheck.reports import fuzz as report
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs import regressions
    from tracrcheck.runs.fuzz_program import examine

    done = examine(plan.seed, number, plan.settings, method=plan.method, timeout=plan.timeout)
    for row in done.rows:
        terminal.show(report.one(row, plan.seed))
    for path in regressions.save_failures(done.rows, seed=plan.seed, folder=save):
        terminal.show(f"saved {path}")
    raise typer.Exit(0 if all(row.holds for row in done.rows) else 1)
