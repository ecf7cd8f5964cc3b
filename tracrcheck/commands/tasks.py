"""`tracrcheck tasks`: how well a model does the prompt tasks."""

from __future__ import annotations

from typing import Annotated

import typer

from tracrcheck.commands.arguments import Json, ModelOption, seed_option
from tracrcheck.commands.base import command, command_line
from tracrcheck.commands.computing import ComputeOptions
from tracrcheck.commands.loading import loading
from tracrcheck.reports import files
from tracrcheck.reports.render import terminal


@command
def tasks(
    computing: ComputeOptions,
    name: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TASK]...", help="Names, or files of pairs. By default every task."),
    ] = None,
    model: ModelOption = None,
    prompts: Annotated[int, typer.Option(min=2, help="How many prompts of each task.")] = 100,
    seed: Annotated[int, seed_option("Seed of the prompts.")] = 0,
    json: Json = None,
) -> None:
    """List the prompt tasks, and how well a model does each: on how many prompts it leads with an answer."""
    from edgeprune_core.tasks import TASKS
    from tracrcheck.trained import names

    files.check_writable(json)
    chosen = [names.check_task(task) for task in name or TASKS]
    with loading():
        from edgeprune_core import trained_models
        from tracrcheck.reports import tasks as report
        from tracrcheck.runs.base import made_now
        from tracrcheck.trained import fetched, leading

    named = model or trained_models.DEFAULT
    subject = computing.placed(fetched.load_model(named))
    rows = [
        leading.ability(subject, task, n=prompts, seed=seed)
        for task in terminal.progress(chosen, len(chosen), "tasks")
    ]
    terminal.show(f"{subject.name} on {prompts:,} held-out prompts of each task", "", report.table(rows))
    asked = {"model": subject.name, "tasks": chosen, "prompts": prompts, "seed": seed}
    files.write_json(json, report.document(asked, rows, made_now(command_line())))
