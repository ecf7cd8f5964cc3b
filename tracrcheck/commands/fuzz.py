"""`tracrcheck fuzz`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from tracrcheck.commands.loading import loading

if TYPE_CHECKING:
    from tracrcheck.runs.fuzz import Plan


@told
def fuzz(
    programs: Annotated[
        int, typer.Option(min=1, help="How many programs, not counting rejected ones.")
    ] = 100,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the random programs.")] = 0,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="edge_pruning_score_function, acdc, random, ... or module:callable."
        ),
    ] = "edge_pruning_score_function",
    ablation: Ablations = None,
    timeout: Annotated[float, typer.Option(help="Seconds that one run of the method may take.")] = 1800.0,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    cluster: ClusterAddress = None,
    json: Json = None,
    html: Html = None,
    junit: Junit = None,
    md: Comment = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped (with --json).")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Save each failing program in this folder, for --replay."),
    ] = None,
    number: Annotated[int | None, typer.Option(min=0, help="Run only the program with this number.")] = None,
    replay: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Replay a saved program. Repeatable.")
    ] = None,
) -> None:
    """Run a method on random programs. Exit 1 below the bar, or if a replayed check fails."""
    from tracrcheck.commands import options
    from tracrcheck.executors import dask_cluster as clusters
    from tracrcheck.reports import files
    from tracrcheck.reports.outputs import Outputs
    from tracrcheck.reports.render import terminal

    options.check_timeout(timeout)
    reports = {"--html": html, "--junit": junit, "--md": md}
    options.check_alone(
        number=number, replay=replay, json=json, resume=resume, reports=reports, cluster=cluster
    )
    files.check_folder(save)
    outputs = Outputs(json=json, html=html, junit=junit, md=md)
    outputs.check()
    with loading():
        from tracrcheck.commands.resumable import command_line, run_or_read
        from tracrcheck.reports import fuzz as report
        from tracrcheck.runs import fuzz as campaign
        from tracrcheck.runs import fuzz_score, regressions
        from tracrcheck.runs.fuzz_program import examinee

    _ = examinee(method).many  # TC113 now, not in the middle of the run
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
    header, bar = plan.header(command_line()), fuzz_score.Bar()
    done = run_or_read(
        campaign.FUZZ,
        header,
        lambda ledger: campaign.Campaign(plan, header, ledger),
        outputs=outputs,
        resume=resume,
        show=lambda results: terminal.show_document(report.document(results)),
    )
    for path in regressions.save_failures(done.results.rows, seed=seed, folder=save):
        terminal.show(f"saved {path}")
    done.end(int(bool(done.results.score(bar).short)))


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
