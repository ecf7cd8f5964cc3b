"""`tracrcheck models`: the pretrained models that can be fetched."""

from __future__ import annotations

from typing import Annotated

import typer

from tracrcheck.commands.base import command
from tracrcheck.commands.loading import loading
from tracrcheck.error_codes import user_error


@command
def models(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[get NAME]", help="Fetch this model. By default: list them."),
    ] = None,
) -> None:
    """List the pretrained models that can be fetched, or fetch one into the cache. `--model NAME` then loads it, also
    without a connection."""
    if words and (words[0] != "get" or len(words) != 2):
        raise user_error("TC117.models", where="models", got=" ".join(words))
    with loading():
        from tracrcheck.trained import fetched

    if words:
        fetched.get(words[1], tell=typer.echo)
        typer.echo(f"now: tracrcheck discover --model {words[1]} --task ioi")
        return
    for name, source in fetched.MODELS.items():
        where = fetched.folder_of(name) if fetched.is_here(name) else f"tracrcheck models get {name}"
        typer.echo(f"{name}: {source.about}; {source.licence}\n  {where}")
