"""`tracrcheck compare`: edges against divergence, for several methods."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracrcheck.commands.arguments import MOST_SEEDS, ClusterAddress, Comment, Html, Json, Junit
from tracrcheck.commands.discover import ModelOption, Task
from tracrcheck.commands.errors import told
from tracrcheck.commands.loading import loading


@told
def compare(
    task: Task,
    model: ModelOption = None,
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Comma-separated: names as for `discover --method`, or module:callable.",
        ),
    ] = "edge_pruning,acdc,eap,eap_ig,random",
    ablation: Annotated[
        str, typer.Option(help="What a cut edge carries: zero, mean or resample.")
    ] = "resample",
    seeds: Annotated[
        int,
        typer.Option(min=1, max=MOST_SEEDS, help="Number of seeds, from 0, for the prompts and the methods."),
    ] = 5,
    prompts: Annotated[
        int,
        typer.Option(
            min=2, help="How many prompts to choose circuits on, and as many others to evaluate on."
        ),
    ] = 100,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    cluster: ClusterAddress = None,
    json: Json = None,
    html: Html = None,
    junit: Junit = None,
    md: Comment = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw the curves in this file.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped (with --json).")
    ] = False,
) -> None:
    """Compare methods on a trained model: the fewest edges of each at the same divergence, on held-out prompts."""
    from tracrcheck.executors import dask_cluster as clusters
    from tracrcheck.reports import files
    from tracrcheck.reports.outputs import Outputs
    from tracrcheck.trained import names

    files.check_suffix("--plot", plot, ".svg")
    outputs = Outputs(json=json, html=html, junit=junit, md=md)
    outputs.check()
    files.check_writable(plot)
    names.check_ablation(ablation)
    names.check_task(task)
    chosen = names.check_methods(methods)
    with loading():
        from edgeprune_core import trained_models
        from tracrcheck.commands.resumable import command_line, run_or_read
        from tracrcheck.reports import compare as report
        from tracrcheck.reports.render import curves, terminal
        from tracrcheck.runs import compare as comparing

    clusters.check(cluster, jobs=jobs)
    plan = comparing.Plan(
        task=task, model=model or trained_models.trained_on(task), ablation=ablation, methods=chosen,
        seeds=tuple(range(seeds)), prompts=prompts, jobs=jobs, cluster=cluster,
    ).checked()  # fmt: skip
    header = plan.header(command_line())
    done = run_or_read(
        comparing.COMPARE,
        header,
        lambda ledger: comparing.Comparing(plan, header, ledger),
        outputs=outputs,
        resume=resume,
        show=lambda results: terminal.show_document(report.document(results)),
        line=report.line,
    )
    if plot is not None:
        files.write_text(plot, curves.svg(report.plot(done.results)))
    done.end(done.results.exit_code)
