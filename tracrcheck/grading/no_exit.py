"""Blocks `os._exit` while a method runs: it could end our process with exit code 0 and no verdict."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def forbid_os_exit() -> Iterator[None]:
    """Makes `os._exit` raise `SystemExit` in this process. Forked child processes are not affected."""
    leave, here = os._exit, os.getpid()

    def stay(status: int) -> NoReturn:
        if os.getpid() != here:
            leave(status)
        raise SystemExit(f"os._exit({status!r})")

    os._exit = stay
    try:
        yield
    finally:
        os._exit = leave
