"""Methods with planted bugs, and one that knows the answer."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from edgeprune_core.circuit import Circuit
from tracrcheck.truth.cache import certificate_for
from tracrcheck.truth.setting import Setting


def knows_the_answer(task):
    return certificate_for(task, Setting(ablation=task.ablation.name)).required


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


def killed_at_the_third(task):
    """Right twice in a process, then interrupted."""
    _ASKED.append(task.name)
    if len(_ASKED) == 3:
        raise KeyboardInterrupt
    return knows_the_answer(task)


def dies_once(task):
    """Right, but for the first process of all that asks: the file `died` is made, and the process killed."""
    try:
        Path("died").touch(exist_ok=False)
    except FileExistsError:
        return knows_the_answer(task)
    os.kill(os.getpid(), signal.SIGKILL)


_ASKED: list[str] = []
