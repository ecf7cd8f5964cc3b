"""`tracrcheck export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracrcheck.commands.arguments import Folders
from tracrcheck.commands.base import command, prepared
from tracrcheck.commands.loading import loading
from tracrcheck.commands.plant import plant_gpt2
from tracrcheck.rasp.library import Library
from tracrcheck.reports import files
from tracrcheck.reports.render import terminal


@command
def export(
    program: Annotated[
        str, typer.Argument(metavar="PROGRAM", help="The program whose model, or whose circuit, is exported.")
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="NAME",
            help="A model: safetensors, transformer_lens or hf (a GPT-2: docs/planted.md). A circuit: a format of docs/importers.md, or mib.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The file to write; for hf and mib, a folder.")
    ],
    circuit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A circuit of the program, in any format. By default the required one."
        ),
    ] = None,
    format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="The format of --circuit; auto recognises most.")
    ] = "auto",
    ablation: Annotated[
        str | None,
        typer.Option(help="The setting of the required circuit. By default zero.", show_default=False),
    ] = None,
    folder: Folders = None,
) -> None:
    """Write a program's model, or a circuit of it, for another tool."""
    if to == "mib":
        files.check_folder(out)
    elif to != "hf":
        files.check_writable(out)
    entry = Library.here(folder or []).load(program)
    with loading():
        from tracrcheck.grading import export as exporting

    exporting.check(to, circuit)
    if to == "hf":
        plant_gpt2(entry, out, {}, slots=None, seed=0, ablation=None)
        return
    ablation = ablation or (entry.program.ablations or ("zero",))[0]
    (compiled,) = prepared([entry])
    if to in exporting.MODELS:
        files.write_model(out, exporting.model_of(compiled, to))
    elif to == "mib":
        kept = exporting.circuit_of(compiled, circuit, format=format, ablation=ablation)
        files.write_folder(out, exporting.mib_files(compiled, kept))
    else:
        kept = exporting.circuit_of(compiled, circuit, format=format, ablation=ablation)
        files.write_json(out, exporting.document_of(compiled, kept, to))
    terminal.show(f"{out}: {to} of {compiled.program.name}")
