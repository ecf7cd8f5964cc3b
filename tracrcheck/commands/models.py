"""`tracrcheck models`: the pretrained models that can be fetched."""

from __future__ import annotations

from typing import Annotated

import typer

from tracrcheck.commands.base import command
from tracrcheck.commands.loading import loading

app = typer.Typer(no_args_is_help=True, help="Fetch pretrained models.")


@app.command("get")
@command
def get(name: Annotated[str, typer.Argument(metavar="NAME", help="smollm2.")]) -> None:
    """Fetch a pretrained model into the cache, once. `--model NAME` then loads it, also without a connection."""
    with loading():
        from tracrcheck.trained import fetched

    fetched.get(name, tell=lambda line: typer.echo(line))
    typer.echo(f"now: tracrcheck discover --model {name} --task ioi")


@app.command("list")
@command
def listed() -> None:
    """The models that can be fetched, and where those that were fetched lie."""
    with loading():
        from tracrcheck.trained import fetched

    for name, source in fetched.MODELS.items():
        where = fetched.folder_of(name) if fetched.is_here(name) else f"tracrcheck models get {name}"
        typer.echo(f"{name}: {source.about}; {source.licence}\n  {where}")
