"""`tracrcheck invariants`."""

from __future__ import annotations

from typing import Annotated

import typer

from tracrcheck.commands.arguments import LARGEST_SEED, MOST_SEEDS, ClusterAddress, Json
from tracrcheck.commands.errors import told
from tracrcheck.commands.loading import loading


@told
def invariants(
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this invariant. Repeatable.")
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_SEEDS, help="Number of seeds; each draws different models and programs."
        ),
    ] = 1,
    first: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="The first seed.")] = 0,
    programs: Annotated[
        int, typer.Option(min=0, help="Random programs per seed, in addition to three random models.")
    ] = 1,
    stop: Annotated[bool, typer.Option("--stop", help="Stop at the first broken invariant.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes, one seed each.")] = 1,
    cluster: ClusterAddress = None,
    json: Json = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped (with --json).")
    ] = False,
) -> None:
    """Check the invariants of every model, mask and method. Exit 1 if one is broken."""
    from tracrcheck.executors import dask_cluster as clusters
    from tracrcheck.reports.outputs import Outputs
    from tracrcheck.reports.render import terminal

    outputs = Outputs(json=json)
    outputs.check()
    with loading():
        from tracrcheck.commands.resumable import command_line, run_or_read
        from tracrcheck.invariants.runner import chosen
        from tracrcheck.reports import invariants as report
        from tracrcheck.runs.invariants import INVARIANT_RUNS, Campaign, Plan

    plan = Plan(
        invariants=tuple(invariant.name for invariant in chosen(only or [])),
        seeds=tuple(range(first, first + seeds)),
        programs=programs,
        jobs=jobs,
        cluster=clusters.check(cluster, jobs=jobs),
        stop=stop,
    )
    header = plan.header(command_line())
    done = run_or_read(
        INVARIANT_RUNS,
        header,
        lambda ledger: Campaign(plan, header, ledger),
        outputs=outputs,
        resume=resume,
        show=lambda results: terminal.show_document(report.document(results)),
    )
    done.end(done.results.exit_code)
