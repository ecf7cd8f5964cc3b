"""Estimates how long proving a program's truths will take, before it is done.

Nearly all the time goes into running circuits. A proof drops permitted edges one by one on the screen, twice (to find the
circuit, and to measure the gap), and runs a few circuits on the whole list. So a few items are timed, and multiplied. The
search for *smallest* and *unique* comes on top: its size is not known in advance.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from tracrcheck.compiler.compile import Compiled
from tracrcheck.truth.certify import SCREEN
from tracrcheck.truth.permitted import permitted
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

TIMED = 64  # items
WHOLE_RUNS = (
    4  # circuits run on the whole list: permitted, required, and candidates that the screen let through
)
SMALL = 2_000_000  # edges of the graph times items, below which it takes seconds and nothing is timed


def estimate(compiled: Compiled, settings: Sequence[Setting]) -> float | None:
    """Seconds, without the search; None where they are few."""
    tasks = [task_of(compiled, setting) for setting in settings]
    if not tasks or compiled.graph.n_edges * max(len(task.items) for task in tasks) < SMALL:
        return None
    circuit = permitted(compiled.model, tasks[0].tokens)
    seconds = 0.0
    for task in tasks:
        items = task.items[:: max(1, len(task.items) // TIMED)][:TIMED]
        task.deviations(circuit, items)  # the first run of a task also prepares it
        started = time.perf_counter()
        task.deviations(circuit, items)
        each = (time.perf_counter() - started) / len(items)
        seconds += each * (2 * len(circuit) * min(SCREEN, len(task.items)) + WHOLE_RUNS * len(task.items))
    return seconds
