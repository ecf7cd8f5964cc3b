"""The command line. Thin: every command calls one function and renders what comes back.

Exit codes: 0 right; 1 a verdict fails, or a truth is not proved; 2 the call is wrong; 130 interrupted. Commands
import what they need when they run: `tracrcheck --help` loads neither torch nor jax.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from tracrcheck._version import __version__
from tracrcheck.commands import COMMANDS
from tracrcheck.processes.clean import only_a_command_runs_here

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Proves what a circuit-discovery method must find, and fails the build when it does not.",
)

for name, command in COMMANDS.items():
    app.command(name)(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tracrcheck {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None: ...


def main() -> None:
    """The entry point of `tracrcheck`."""
    # Before torch is loaded. The matrices are small; and the number of threads can change the last digit of a sum.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    only_a_command_runs_here()
    for stream in ("stdout", "stderr"):  # None where it was closed
        setattr(sys, stream, getattr(sys, stream) or open(os.devnull, "w"))  # noqa: SIM115 - until the end
    app(prog_name="tracrcheck")


if __name__ == "__main__":
    main()
