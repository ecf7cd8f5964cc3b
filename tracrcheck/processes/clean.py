"""Whether code that is judged has run in this process: what this process proves from then on is not kept."""

from __future__ import annotations


class _Here:
    clean = True


def foreign_code_runs_here() -> None:
    """To be called before it does."""
    _Here.clean = False


def is_clean() -> bool:
    return _Here.clean
