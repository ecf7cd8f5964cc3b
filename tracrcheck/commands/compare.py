"""`tracrcheck compare`: edges against divergence, for several methods."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tracrcheck.commands.arguments import (
    MOST_SEEDS,
    ModelOption,
    OnlyRight,
    PromptAblation,
    RunOptions,
    Task,
    check_timeout,
)
from tracrcheck.commands.base import command, command_line
from tracrcheck.commands.computing import Device
from tracrcheck.commands.loading import loading
from tracrcheck.reports import files


@command
def compare(
    task: Task,
    run: RunOptions,
    model: ModelOption = None,
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Comma-separated: names as for `discover --method`, or module:callable.",
        ),
    ] = "edge_pruning,acdc,eap,eap_ig,random",
    ablation: PromptAblation = "resample",
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
    only_right: OnlyRight = False,
    device: Device = "auto",
    timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds that each curve may take. By default there is no limit.", show_default=False
        ),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="MIB", help="Memory that the process of a curve may allocate, its model included."
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw the curves in this file.")
    ] = None,
) -> None:
    """Compare methods on a trained model: the fewest edges of each at the same divergence, on held-out prompts."""
    from tracrcheck.trained import names

    if timeout is not None:
        check_timeout(timeout)
    files.check_suffix("--plot", plot, ".svg")
    files.check_writable(plot)
    names.check_ablation(ablation)
    names.check_task(task)
    chosen = names.check_methods(methods)
    with loading():
        from edgeprune_core import trained_models
        from tracrcheck.commands.resumable import run_or_read
        from tracrcheck.reports import compare as report
        from tracrcheck.reports.render import curves
        from tracrcheck.runs.compare import COMPARE, Comparing, Plan

    workers = run.workers()
    plan = Plan(
        task=task, model=model or trained_models.trained_on(task), ablation=ablation, methods=chosen,
        seeds=tuple(range(seeds)), prompts=prompts, only_right=only_right, device=device, timeout=timeout, memory=memory,
    ).checked(tell=partial(typer.echo, err=True))  # fmt: skip
    header = plan.header(command_line())
    done = run_or_read(
        COMPARE,
        header,
        lambda ledger: Comparing(plan, header, ledger, workers),
        run,
        document=report.document,
        line=report.line,
    )
    if plot is not None:
        files.write_text(plot, curves.svg(report.plot(done.results)))
    done.end()
