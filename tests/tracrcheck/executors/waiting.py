"""Waiting for other processes: until something happens, and whether one is alive."""

from __future__ import annotations

import time
from pathlib import Path


def comes(condition, seconds: float) -> bool:
    """Whether the condition holds within this time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def until(condition, seconds=60.0):
    assert comes(condition, seconds), "it did not happen in time"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
