"""`tracrcheck doctor`."""

from __future__ import annotations

import sys

import typer

from tracrcheck.commands.arguments import Json
from tracrcheck.commands.base import command


@command
def doctor(json: Json = None) -> None:
    """Say what is installed, which devices are available, and what is missing. Exit 1 if tracrcheck cannot work."""
    from tracrcheck import doctor as examining

    if sys.stderr.isatty():
        typer.echo("importing every part: some seconds", err=True)
    raise typer.Exit(examining.run(json))
