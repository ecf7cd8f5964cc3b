"""Methods with planted bugs, and one that knows the answer."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from edgeprune_core.circuit import Circuit
from tests.tracrcheck.pruners import judge, knows_the_answer


def right(task):
    return knows_the_answer(task)


def forgets_positions(task):
    """Right but for the edges from `pos`, which it drops."""
    return Circuit.of(task.graph, [e for e in knows_the_answer(task) if e.writer.kind != "pos"])


def forgets_queries_of_later_layers(task):
    """Right but for what heads after the first layer read through their queries."""
    kept = [e for e in knows_the_answer(task) if not (e.reader.port == "q" and e.reader.layer > 0)]
    return Circuit.of(task.graph, kept)


def raises(task):
    raise ValueError("no luck")


def interrupted_at_the_third(task):
    """Right twice; then somebody presses Ctrl-C."""
    with open("asked", "a") as file:
        file.write(".")
    if Path("asked").stat().st_size == 3:
        os.kill(judge(), signal.SIGINT)
        time.sleep(60)
    return knows_the_answer(task)


def kills_its_judge_once(task):
    """Right, but for the first that is asked: the file `died` is made, and the process that judges is killed."""
    try:
        Path("died").touch(exist_ok=False)
    except FileExistsError:
        return knows_the_answer(task)
    os.kill(judge(), signal.SIGKILL)
    time.sleep(60)
