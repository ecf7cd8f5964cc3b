"""`@command` makes a function a command: its groups of options become flags, and errors become exit codes, never a traceback."""

from __future__ import annotations

import functools
import inspect
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

import typer

from edgeprune_core.errors import CheckError
from tracrcheck.error_codes import FULL, unwritable, user_error
from tracrcheck.grading.no_exit import forbid_os_exit
from tracrcheck.reports.render.terminal import show_error

if TYPE_CHECKING:
    from tracrcheck.compiler.compile import Compiled
    from tracrcheck.rasp.library import Entry
    from tracrcheck.truth.setting import Setting


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Makes a function a command. A parameter that is a group (a dataclass of options) becomes one option per field."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}

    @functools.wraps(function)
    def wrapped(**options: Any) -> None:
        with user_errors(), forbid_os_exit():
            for name, kind in groups.items():
                options[name] = kind(**{field.name: options.pop(field.name) for field in fields(kind)})
            function(**options)

    wrapped.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            p
            for parameter in inspect.signature(function).parameters.values()
            for p in _options(parameter, hints)
        ]
    )
    del wrapped.__wrapped__
    wrapped.__annotations__ = {}
    return wrapped


def _options(parameter: inspect.Parameter, hints: dict[str, Any]) -> Iterator[inspect.Parameter]:
    """The parameter with its type resolved, or the options of its group."""
    kind = hints[parameter.name]
    keyword = inspect.Parameter.KEYWORD_ONLY
    if not is_dataclass(kind):
        yield parameter.replace(annotation=kind, kind=keyword)
        return
    types = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        yield inspect.Parameter(field.name, keyword, default=field.default, annotation=types[field.name])


@contextmanager
def user_errors() -> Iterator[None]:
    """Prints an error and exits: with code 2, or 130 if interrupted."""
    try:
        yield
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
            show_error(unwritable("the output", error, what="cannot write the output"))
            _discard_unwritten_output()
            raise typer.Exit(2) from None
        if os.environ.get("TRACRCHECK_DEBUG"):
            raise
        show_error(user_error("TC199", got=f"{type(error).__name__}: {error}"))
        raise typer.Exit(2) from None


def _discard_unwritten_output() -> None:
    """Otherwise Python fails once more at exit, when it flushes standard output."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def command_line() -> str:
    """The command as it was called, for the results file."""
    return shlex.join(["tracrcheck", *sys.argv[1:]])


def stop_at(errors: Sequence[CheckError]) -> None:
    """Prints the errors and exits with code 2, if there are any."""
    for error in errors:
        show_error(error)
    if errors:
        raise typer.Exit(2)


def prepared(entries: Sequence[Entry], settings: Sequence[Setting] = ()) -> list[Compiled]:
    """The programs, compiled and compared with the interpreter. Says which inputs are a sample.

    Prints what is wrong with any, and exits with code 2.
    """
    from tracrcheck.truth.program_check import prepare

    ready, wrong = prepare(entries, settings)
    stop_at(wrong)
    for compiled in ready:
        say_if_sampled(compiled, settings)
    return ready


def say_if_sampled(compiled: Compiled, settings: Sequence[Setting]) -> None:
    """On stderr, before anything is proved."""
    from tracrcheck.reports.certify import sample_line

    if (line := sample_line(compiled, settings)) is not None:
        typer.echo(line, err=True)
