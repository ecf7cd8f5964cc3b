"""Imports that take a second, made quicker. A command first answers a wrong call, then loads what it runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from tracrcheck.processes.clean import is_only_a_command


@contextmanager
def loading() -> Iterator[None]:
    """Imports without the garbage collector, which would walk over a million objects that live as long as the command."""
    if not is_only_a_command() or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
