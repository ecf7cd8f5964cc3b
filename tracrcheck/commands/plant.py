"""`tracrcheck plant`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracrcheck.commands.arguments import LARGEST_SEED, Ablations, Folders, Name, settings_of
from tracrcheck.commands.base import command, prepared
from tracrcheck.commands.loading import loading
from tracrcheck.rasp.library import Library
from tracrcheck.reports import files
from tracrcheck.reports.render import terminal


@command
def plant(
    program: Name,
    layers: Annotated[int, typer.Option(min=1, help="Layers of the large model.")],
    heads: Annotated[int, typer.Option(min=1, help="Heads per layer of the large model.")],
    d_model: Annotated[
        int | None, typer.Option(help="Width of the residual stream. By default twice the program's.")
    ] = None,
    d_head: Annotated[int | None, typer.Option(help="Width of a head. By default the program's.")] = None,
    d_mlp: Annotated[int | None, typer.Option(help="Units per MLP. By default the program's.")] = None,
    slots: Annotated[
        str | None, typer.Option(metavar="A=B,...", help="Where each head and MLP goes: a0.h0=a3.h1,m0=m4.")
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, max=LARGEST_SEED, help="Seed of the slots, the distractors and the rotation."),
    ] = 0,
    ablation: Ablations = None,
    folder: Folders = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.py", help="Write a program file that makes the model."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            help="Write the model too, as safetensors; the program file makes it from the seed.",
        ),
    ] = None,
) -> None:
    """Hide a program in a larger transformer, among distractors. Measures and certifies the result."""
    settings = settings_of(ablation or ["all"])
    for path in (out, weights):
        files.check_writable(path)
    entry = Library.here(folder or []).load(program)
    with loading():
        from tracrcheck.planted import file, leak, planting, truth
        from tracrcheck.planted.slots import parse_slots
        from tracrcheck.reports.plant import planted_block, truth_line

    if out is not None:
        file.check_new_file(out, {path.stem for path in Library.here(folder or []).files()})
    if weights is not None:
        file.check_new_weights(weights, out)
    chosen = None if slots is None else parse_slots(slots)
    (compiled,) = prepared([entry])
    made = planting.plant(
        compiled,
        layers=layers,
        heads=heads,
        d_model=d_model,
        d_head=d_head,
        d_mlp=d_mlp,
        seed=seed,
        slots=chosen,
    )
    terminal.show(planted_block(made, leak.measure(made, settings)))
    for setting in terminal.progress(settings, len(settings), "certify"):
        terminal.show(truth_line(truth.truth_of(made, setting)))
    if weights is not None:
        files.write_model(weights, made.model)
        typer.echo(f"wrote {weights}")
    if out is not None:
        files.write_text(out, file.file_text(made, entry.path, out))
        typer.echo(f"wrote {out}; now: tracrcheck gate {out}")
