"""`tracrcheck plan`."""

from __future__ import annotations

from typing import Annotated

import typer

from tracrcheck.commands.arguments import Json
from tracrcheck.commands.base import command
from tracrcheck.commands.loading import loading
from tracrcheck.reports import files
from tracrcheck.reports.render import terminal


@command
def plan(
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="gpt2, codellama-13b, ...; or a config.json, or a folder with one."
        ),
    ],
    batch: Annotated[int, typer.Option(min=1, help="Prompts per step, on all GPUs together.")] = 4,
    seq: Annotated[int, typer.Option(min=1, help="Tokens per prompt.")] = 72,
    gpus: Annotated[int, typer.Option(min=1, help="GPUs that share the batch and the weights.")] = 1,
    circuits: Annotated[int, typer.Option(min=1, help="Masks sampled per step.")] = 1,
    dtype: Annotated[
        str, typer.Option(help="Dtype of the model: bfloat16, float16, float32 or float64.")
    ] = "bfloat16",
    memory: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="GB", help="Memory of one GPU: say whether the step fits; exit 1 if not."
        ),
    ] = None,
    json: Json = None,
) -> None:
    """Estimate the memory and FLOPs of a step of edge pruning on a large model, and whether it fits."""
    files.check_writable(json)
    with loading():
        from tracrcheck.reports import plan as report
        from tracrcheck.trained import memory_plan as planning

    found = planning.plan(
        model, batch=batch, pos=seq, gpus=gpus, circuits=circuits, dtype=dtype, memory=memory
    )
    terminal.show(*report.plan_lines(found), "", report.plan_table(found), "", *report.verdict_lines(found))
    files.write_json(json, report.plan_document(found))
    raise typer.Exit(1 if found.fits is False else 0)
