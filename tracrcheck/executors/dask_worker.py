"""What a Dask worker runs: it passes units of work on to a process of its own, and says what became of them.

A Dask worker runs tasks in threads. A time limit needs the main thread of a process, a method may kill the process it runs
in, and a worker that was started last week has last week's sources in memory. So each thread of a worker passes bytes on
to a `Worker`: a process started for this run, which compares its sources with the driver's before its first unit. When
that process dies, the Dask worker lives and reports it. The process is killed when the driver no longer wants the result,
when the run is over, and when it has had no unit for a while.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from tracrcheck.executors.fingerprint import unlike
from tracrcheck.executors.worker import Died, Unwanted, Worker, packed, unpacked

# Seconds without a unit after which a process is ended.
IDLE = 60.0

# died: at the unit; early: before it began, which is not the unit's doing; dropped: nobody wants the result.
Ending = Literal["result", "raised", "died", "early", "unlike", "dropped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Of one run. fingerprint: what a process must have (`fingerprint.py`). folder: the driver's, where methods are found."""

    sweep: str
    fingerprint: Mapping[str, Any]
    folder: str
    threads: int


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a unit. said: the result or error as bytes; how the process died; where it differs."""

    ending: Ending
    said: Any
    worker: str = ""


_lock = threading.Lock()
# Of each run, the processes without a unit, and what ends them.
_idle: dict[str, dict[Worker, threading.Timer]] = defaultdict(dict)


async def greet(record: Mapping[str, Any]) -> list[str]:
    """Starts a process. Returns how it differs from the driver."""
    terms = Terms(**record)
    worker = _new(terms)
    try:
        differs = await asyncio.to_thread(worker.run, _differs, packed(terms.fingerprint))
    except Died:  # a unit will try again
        return []
    _put_back(terms, worker)
    return differs


async def dismiss(sweep: str) -> None:
    """Ends the processes of a run that is over."""
    with _lock:
        idle = _idle.pop(sweep, {})
    for worker, timer in idle.items():
        timer.cancel()
        await asyncio.to_thread(worker.end)


def do(record: Mapping[str, Any], request: bytes) -> Done:
    """Runs one unit. record: the terms. request: the call, packed."""
    from distributed import get_worker

    terms, dask = Terms(**record), get_worker()
    key = dask.get_current_task()

    def wanted() -> bool:
        """The scheduler withdraws a task that nobody waits for any more."""
        state = dask.state.tasks.get(key)
        return state is not None and state.state != "cancelled"

    worker = _taken(terms)
    try:
        if differs := worker.run(_differs, packed(terms.fingerprint)):
            worker.end()
            return Done("unlike", differs, dask.address)
    except Died as death:
        return Done("early", str(death), dask.address)
    try:
        raised, said = worker.packed_result(worker.submit_packed(request), wanted)
    except Unwanted:
        return Done("dropped", None, dask.address)
    except Died as death:
        return Done("died", str(death), dask.address)
    _put_back(terms, worker)
    return Done("raised" if raised else "result", said, dask.address)


def _taken(terms: Terms) -> Worker:
    with _lock:
        if not _idle[terms.sweep]:
            return _new(terms)
        worker, timer = _idle[terms.sweep].popitem()
    timer.cancel()
    return worker


def _new(terms: Terms) -> Worker:
    # A nanny marks its worker as daemonic, which may not start processes. Ours end with it all the same.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    return Worker(threads=terms.threads, folder=terms.folder)


def _put_back(terms: Terms, worker: Worker) -> None:
    timer = threading.Timer(IDLE, _end_idle, (terms.sweep, worker))
    timer.daemon = True
    with _lock:
        _idle[terms.sweep][worker] = timer
        timer.start()


def _end_idle(sweep: str, worker: Worker) -> None:
    with _lock:
        idle = _idle[sweep].pop(worker, None)
    if idle is not None:
        worker.end()


# In the process ----------------------------------------------------------------------------------------


@cache
def _differs(fingerprint: bytes) -> list[str]:
    """How this process differs from the driver."""
    return unlike(unpacked(fingerprint))
