"""What this process is: whether code that is judged has run in it, and whether it was started for one command.

What a process proves after such code has run is not kept. A process that does nothing but a command knows no truth before the
command compiles a program.
"""

from __future__ import annotations


class _Here:
    clean = True
    only_a_command = False


def foreign_code_runs_here() -> None:
    """To be called before it does."""
    _Here.clean = False


def is_clean() -> bool:
    return _Here.clean


def only_a_command_runs_here() -> None:
    """To be called by the program that is one command."""
    _Here.only_a_command = True


def is_only_a_command() -> bool:
    return _Here.only_a_command
