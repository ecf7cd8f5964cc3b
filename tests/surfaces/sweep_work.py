"""Work for other processes; light to import. Units are (number, what to do)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def square(unit):
    return unit * unit


def sometimes(unit):
    """`("die", folder)` kills its process each time; `("die once", folder)` the first time; else it is a number."""
    number, what, folder = unit
    (Path(folder) / f"{number}-{time.monotonic_ns()}").touch()
    tries = len(list(Path(folder).glob(f"{number}-*")))
    if what == "die" or (what == "die once" and tries == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuses(unit):
    if unit == 2:
        raise ValueError("unit two")
    return unit


def sleeps(folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60)
