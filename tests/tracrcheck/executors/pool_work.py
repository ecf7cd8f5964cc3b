"""Work for other processes; light to import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def square(unit):
    return unit * unit


def dies_and_counts(folder: str):
    with open(Path(folder) / "times", "a") as file:
        file.write("x")
    os._exit(3)


def sometimes(unit):
    """A unit is (number, what, folder). "die" kills its process each time, "die once" the first time; "kill" and
    "kill once" kill the parent of its process."""
    number, what, folder = unit
    (Path(folder) / f"{number}-{time.monotonic_ns()}").touch()
    tries = len(list(Path(folder).glob(f"{number}-*")))
    if what in ("die", "kill") or (what in ("die once", "kill once") and tries == 1):
        os.kill(os.getppid() if what.startswith("kill") else os.getpid(), signal.SIGKILL)
        time.sleep(60)
    return number


def own_pid(unit):
    return os.getpid()


class Stubborn(Exception):
    def __init__(self, one, two):
        super().__init__("no luck")


def stubborn(unit):
    raise Stubborn(1, 2)


def refuses(unit):
    if unit == 2:
        raise ValueError("unit two")
    return unit


def sleeps(folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60)
