"""How a command ends: user errors are printed and exit with code 2, never as a traceback."""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import typer

from edgeprune_core.errors import CheckError
from tracrcheck.error_codes import user_error
from tracrcheck.grading.no_exit import forbid_os_exit
from tracrcheck.reports.render.terminal import show_error

# A disk, a quota or a device that takes no more.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def told(command: Callable[..., Any]) -> Callable[..., Any]:
    """User errors are printed and exit with code 2, never as a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            with forbid_os_exit():
                return command(*args, **kwargs)
        except CheckError as error:
            show_error(error)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in FULL:
                show_error(_no_room(error))
                _drop_what_is_left()
                raise typer.Exit(2) from None
            if os.environ.get("TRACRCHECK_DEBUG"):
                raise
            show_error(_our_fault(error))
            raise typer.Exit(2) from None

    return wrapped


def _no_room(error: OSError) -> CheckError:
    return user_error(
        "TC115",
        "cannot write the output",
        got=error.strerror,
        wanted="room for it",
        do="make room, or write elsewhere",
    )


def _drop_what_is_left() -> None:
    """What stands in the buffer of standard output has nowhere to go: Python would fail once more at the end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _our_fault(error: Exception) -> CheckError:
    return user_error("TC199", got=f"{type(error).__name__}: {error}")


def stop_at(errors: Sequence[CheckError]) -> None:
    for error in errors:
        show_error(error)
    if errors:
        raise typer.Exit(2)
