"""How a command ends: mistakes are told as their block, with exit code 2, never as a traceback."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import typer

from edgeprune_core.errors import CheckError
from tracrcheck.reports.console import tell


def told(command: Callable[..., Any]) -> Callable[..., Any]:
    """A mistake of the user's is told as its block, with exit code 2; never as a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except CheckError as error:
            tell(error)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("TRACRCHECK_DEBUG"):
                raise
            tell(_our_fault(error))
            raise typer.Exit(2) from None

    return wrapped


def _our_fault(error: Exception) -> CheckError:
    return CheckError(
        "TC199",
        "a fault of tracrcheck itself",
        got=f"{type(error).__name__}: {error}",
        wanted="no such thing",
        do="report it, with the traceback that TRACRCHECK_DEBUG=1 shows",
    )


def stop_at(errors: Sequence[CheckError]) -> None:
    for error in errors:
        tell(error)
    if errors:
        raise typer.Exit(2)
