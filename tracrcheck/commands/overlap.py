"""`tracrcheck overlap`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tracrcheck.commands.arguments import Json, PromptOptions
from tracrcheck.commands.base import command
from tracrcheck.commands.loading import loading
from tracrcheck.reports import files
from tracrcheck.reports.render import terminal


@command
def overlap(
    a: Annotated[Path, typer.Argument(metavar="A.json", help="A circuit, as `discover --out` writes it.")],
    b: Annotated[Path, typer.Argument(metavar="B.json", help="A second circuit of the same model.")],
    options: PromptOptions,
    task_a: Annotated[
        str | None, typer.Option("--task-a", metavar="NAME", help="The task of A, as for `faithfulness`.")
    ] = None,
    task_b: Annotated[str | None, typer.Option("--task-b", metavar="NAME", help="The task of B.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.svg", help="Draw both circuits in this file.")
    ] = None,
    json: Json = None,
) -> None:
    """Compare two circuits of one model: their shared and unshared edges, and each circuit on the other's task."""
    from tracrcheck.trained.names import check_both_tasks

    files.check_writable(json)
    files.check_writable(out)
    tasks = check_both_tasks(task_a, task_b, options.model)
    with loading():
        from tracrcheck.reports import overlap as report
        from tracrcheck.trained import overlap as comparing
        from tracrcheck.trained import prompts as prompt_lists

    found = comparing.overlap(comparing.circuit_in(a), comparing.circuit_in(b))
    terminal.show(*report.overlap_lines(found, str(a), str(b)), "", report.layers_table(found))
    judged: list[comparing.Judged] = []
    asked: dict[str, Any] = {"a": str(a), "b": str(b), "task_a": task_a, "task_b": task_b, "model": None}
    asked |= options.recorded
    if tasks:
        subject = options.load(tasks[0])
        asked["model"] = subject.name
        n, draws, seed = options.prompts, options.draws, options.seed
        lists = {task: prompt_lists.judging_list(task, subject.tokenizer, n=n, seed=seed) for task in tasks}
        crossed = comparing.crossed(found, subject, lists, draws=draws, seed=seed)
        judged = list(terminal.progress(crossed, 3 * len(lists), "circuits on tasks"))
        terminal.show(
            "", f"under resampling, all other edges cut, in {subject.name}:", report.crossed_table(judged)
        )
    if out is not None:
        files.write_text(out, report.overlap_svg(found, title=f"A: {a}, B: {b}"))
        typer.echo(f"wrote {out}")
    files.write_json(json, report.overlap_document(asked, found, judged))
