"""`tracrcheck overlap`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tracrcheck.commands.arguments import Html, Json, PromptOptions
from tracrcheck.commands.base import command, command_line
from tracrcheck.commands.computing import ComputeOptions, EvaluationOptions
from tracrcheck.commands.loading import loading
from tracrcheck.reports import files
from tracrcheck.reports.outputs import Outputs
from tracrcheck.reports.render import terminal


@command
def overlap(
    a: Annotated[Path, typer.Argument(metavar="A.json", help="A circuit, as `discover --out` writes it.")],
    b: Annotated[Path, typer.Argument(metavar="B.json", help="A second circuit of the same model.")],
    options: PromptOptions,
    computing: ComputeOptions,
    evaluating: EvaluationOptions,
    task_a: Annotated[
        str | None, typer.Option("--task-a", metavar="NAME", help="The task of A, as for `faithfulness`.")
    ] = None,
    task_b: Annotated[str | None, typer.Option("--task-b", metavar="NAME", help="The task of B.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.svg", help="Draw both circuits in this file.")
    ] = None,
    json: Json = None,
    html: Html = None,
) -> None:
    """Compare two circuits of one model: their shared and unshared edges, and each circuit on the other's task."""
    from tracrcheck.trained.names import check_both_tasks

    outputs = Outputs(json=json, html=html)
    outputs.check()
    files.check_writable(out)
    tasks = check_both_tasks(task_a, task_b, options.model)
    with loading():
        from tracrcheck.reports import overlap as report
        from tracrcheck.reports.context import Context
        from tracrcheck.reports.saved import OverlapFile
        from tracrcheck.runs.base import made_now
        from tracrcheck.trained import overlap as comparing
        from tracrcheck.trained import prompts as prompt_lists
        from tracrcheck.trained.suited import Effort

    found = comparing.overlap(comparing.circuit_in(a), comparing.circuit_in(b))
    judged: list[comparing.Judged] = []
    asked: dict[str, Any] = {"a": str(a), "b": str(b), "task_a": task_a, "task_b": task_b, "model": None}
    effort = Effort().chosen(prompts=options.prompts, minutes=evaluating.minutes)
    asked |= options.recorded(effort.prompts)
    run = made_now(command_line())
    terminal.show(*report.first_blocks(report.overlap_document(asked, found, (), run)))
    if tasks:
        subject = computing.placed(options.load(tasks[0]))
        asked["model"] = subject.name
        lists = {
            task: prompt_lists.judging_list(
                task, subject.tokenizer, n=effort.prompts, seed=options.seed, leads=options.leads(subject)
            )
            for task in tasks
        }
        for task, drawn in lists.items() if options.only_right else ():
            typer.echo(f"{task}: {drawn.sentence()}", err=True)
        crossed = comparing.crossed(
            found,
            subject,
            {task: drawn.pairs for task, drawn in lists.items()},
            draws=options.draws,
            seed=options.seed,
            minutes=effort.at_most,
            tell=partial(typer.echo, err=True),
        )
        judged = list(terminal.progress(crossed, comparing.CIRCUITS * len(lists), "circuits on tasks"))
    document = report.overlap_document(asked, found, judged, run)
    if judged:
        terminal.show("", *report.crossed_blocks(document))
    if out is not None:
        files.write_text(out, report.overlap_svg(found, title=f"A: {a}, B: {b}"))
        typer.echo(f"wrote {out}")
    files.write_json(json, document)
    outputs.write(OverlapFile(document=document, run=run), Context())
