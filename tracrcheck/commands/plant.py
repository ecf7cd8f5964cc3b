"""`tracrcheck plant`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from tracrcheck.commands.arguments import Ablations, Folders, Name, seed_option, settings_of
from tracrcheck.commands.base import command, command_line, prepared
from tracrcheck.commands.loading import loading
from tracrcheck.error_codes import unknown_name, user_error
from tracrcheck.rasp.library import Entry, Library
from tracrcheck.reports import files
from tracrcheck.reports.render import terminal


@command
def plant(
    program: Name,
    family: Annotated[
        str | None,
        typer.Option(
            metavar="gpt2",
            help="Write a Hugging Face checkpoint of this family, with its truth, to the folder --out.",
        ),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Layers of the large model. With --family, by default the program's.",
            show_default=False,
        ),
    ] = None,
    heads: Annotated[
        int | None,
        typer.Option(
            min=1, help="Heads per layer. With --family, by default the program's.", show_default=False
        ),
    ] = None,
    d_model: Annotated[
        int | None,
        typer.Option(
            help="Width of the residual stream. By default twice the program's; with --family and a size, 64 per head.",
            show_default=False,
        ),
    ] = None,
    d_head: Annotated[int | None, typer.Option(help="Width of a head. By default the program's.")] = None,
    d_mlp: Annotated[
        int | None,
        typer.Option(
            help="Units per MLP. By default the program's; with --family, 4 d_model.", show_default=False
        ),
    ] = None,
    slots: Annotated[
        str | None, typer.Option(metavar="A=B,...", help="Where each head and MLP goes: a0.h0=a3.h1,m0=m4.")
    ] = None,
    seed: Annotated[int, seed_option("Seed of the slots, the distractors and the rotation.")] = 0,
    ablation: Ablations = None,
    folder: Folders = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE.py",
            help="Write a program file that makes the model; with --family, a folder.",
        ),
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
    size = {"layers": layers, "heads": heads, "d_model": d_model, "d_mlp": d_mlp}
    if family is not None:
        if family != "gpt2":
            raise unknown_name("TC160.family", family, ("gpt2",), where="--family")
        if given := [
            name for name, value in (("--d-head", d_head), ("--weights", weights)) if value is not None
        ]:
            raise user_error("TC166", where="--family", got=", ".join(given))
        if out is None:
            raise user_error("TC160.folder", where="--out", got="none")
        plant_gpt2(Library.here(folder or []).load(program), out, size, slots, seed, ablation)
        return
    if layers is None or heads is None:
        raise user_error("TC160.shape", got="neither" if layers is heads else "one of them")
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
        typer.echo(f"wrote {out}; now: tracrcheck gate {quote(str(out))}")


def plant_gpt2(
    entry: Entry,
    out: Path,
    size: dict[str, int | None],
    slots: str | None,
    seed: int,
    ablation: list[str] | None,
) -> None:
    """Writes the folder whole, once its truth is proved, or not at all."""
    with loading():
        from tracrcheck.planted import carried, folder, gpt2
        from tracrcheck.planted.slots import parse_slots
        from tracrcheck.reports.plant import carried_line, gpt2_block

    settings = settings_of(ablation or gpt2.PLANTED_UNDER)
    if outside := [s.ablation for s in settings if s.ablation not in gpt2.PLANTED_UNDER]:
        raise user_error("TC160.ablation", where="--ablation", got=", ".join(outside))
    folder.check_new_folder(out)
    chosen = None if slots is None else parse_slots(slots)
    (compiled,) = prepared([entry])
    host = gpt2.gpt2_of(compiled, **size, seed=seed, slots=chosen)
    model = carried.of_program(host)
    measured = {"outputs": carried.outputs_within(host, model), "shrink": carried.shrink(model)}
    terminal.show(gpt2_block(host, measured))
    truths = []
    for setting in terminal.progress(settings, len(settings), "certify"):
        truths.append(carried.carried(host, model, setting))
        terminal.show(carried_line(truths[-1]))
    folder.write_gpt2(out, host, truths, source=entry.path, command=command_line(), measured=measured)
    typer.echo(f"wrote {out}; now: tracrcheck gate {quote(str(out))}")
