"""`tracrcheck compare`: edges against divergence, for several methods."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from tracrcheck.commands.arguments import MOST_SEEDS, ClusterAddress, Comment, Html, Json, Junit
from tracrcheck.commands.discover import ModelOption, Task
from tracrcheck.commands.errors import told


@told
def compare(
    task: Task,
    model: ModelOption = None,
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Comma-separated: edge_pruning, acdc, eap, eap_ig, eap_ig_activations, exact, random, or module:callable.",
        ),
    ] = "edge_pruning,acdc,eap,eap_ig,random",
    ablation: Annotated[
        str, typer.Option(help="What a cut edge carries: zero, mean or resample.")
    ] = "resample",
    seeds: Annotated[
        int, typer.Option(min=1, max=MOST_SEEDS, help="Seeds, from 0: of the prompts and the methods.")
    ] = 5,
    prompts: Annotated[
        int, typer.Option(min=2, help="How many to choose circuits on, and as many others to judge on.")
    ] = 100,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at work.")] = 1,
    cluster: ClusterAddress = None,
    json: Json = None,
    html: Html = None,
    junit: Junit = None,
    md: Comment = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw the curves there.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped (with --json).")
    ] = False,
) -> None:
    """Compare methods on a trained model: the fewest edges of each at the same divergence, on prompts held out."""
    from edgeprune_core import trained_models
    from tracrcheck.executors import dask_cluster as clusters
    from tracrcheck.reports import compare as report
    from tracrcheck.reports import files
    from tracrcheck.reports.context import Beside
    from tracrcheck.reports.outputs import Outputs
    from tracrcheck.reports.render import curves, terminal
    from tracrcheck.runs import compare as comparing
    from tracrcheck.runs.base import finished_there, open_ledger
    from tracrcheck.trained import prompts as prompt_lists
    from tracrcheck.trained.discover import check_ablation

    check_ablation(ablation)
    files.check_suffix("--plot", plot, ".svg")
    prompt_lists.check_task(task)
    names = comparing.check_methods(tuple(name.strip() for name in methods.split(",") if name.strip()))
    outputs = Outputs(json=json, html=html, junit=junit, md=md)
    outputs.check()
    files.check_writable(plot)
    clusters.check(cluster, jobs=jobs)
    plan = comparing.Plan(
        task=task, model=model or trained_models.trained_on(task), ablation=ablation, methods=names,
        seeds=tuple(range(seeds)), prompts=prompts, jobs=jobs, cluster=cluster,
    ).checked()  # fmt: skip
    header = plan.header(shlex.join(["tracrcheck", *sys.argv[1:]]))
    if resume and finished_there(json, header):
        typer.echo(f"{json} is this run, finished: there is nothing to resume", err=True)
        raise typer.Exit(0)
    with open_ledger(json, header, resume=resume) as ledger:
        run = comparing.Comparing(plan, header, ledger)
        if run.resumed:
            typer.echo(f"resumed: {run.resumed} of {len(plan.units)} curves were made before", err=True)
        try:
            for made in terminal.progress(run.go(), run.left, "curves"):
                typer.echo(report.line(made), err=True)
        except KeyboardInterrupt:
            run.interrupted = True
        results = run.results(json)
        terminal.show_document(report.document(results))
        files.write_json(json, results.document, a_line_each=("curves",))
        run.written()
    outputs.write(results, Beside())
    if plot is not None:
        files.write_text(plot, curves.svg(report.plot(results)))
    if run.interrupted:
        typer.echo("interrupted: these are the curves that were finished", err=True)
        raise typer.Exit(130)
    raise typer.Exit(1 if any(c.fault for c in results.curves) else 0)
