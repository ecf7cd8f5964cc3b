"""Units of work done one after another, by several processes, or by a cluster; results as they come.

A process that dies (killed, out of memory) takes no result with it: what it had not finished is done again. Which unit
killed it cannot be known, so that each of those that may have been at work is done alone; one that kills its process
every time is given up, and `lost` says what stands in its place.
"""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import cache
from itertools import islice
from typing import TypeVar

from tracrcheck.executors.dask_cluster import Cluster, hand_out
from tracrcheck.executors.dask_worker import leave_after

U = TypeVar("U")
R = TypeVar("R")

# Times that a unit is tried alone before it is given up.
TRIES = 2
# Units sent to each process ahead of the one it is at.
AHEAD = 2


def sweep(
    work: Callable[[U], R],
    units: Sequence[U],
    *,
    jobs: int,
    lost: Callable[[U, str], R],
    tries: int = TRIES,
    cluster: Cluster | None = None,
) -> Iterator[tuple[int, R]]:
    """(number of the unit, its result), in order with one job and as they are finished with several.

    With several, or with a cluster, which is given all of them, `work` and the units are sent to other processes: `work`
    is a function of a module, or a partial of one. What it raises ends the sweep. Closing the iterator, or Ctrl-C,
    ends the processes at once, a cluster's within a second or two.
    """

    def given_up(unit: U) -> R:
        return lost(unit, f"the process at work on it died, {tries} times of {tries} when it ran alone")

    if cluster is not None:
        yield from hand_out(work, units, cluster, lost=given_up, tries=tries, threads=_threads())
        return
    if jobs == 1:
        for number, unit in enumerate(units):
            yield number, work(unit)
        return
    left = dict(enumerate(units))
    try:
        while left:
            yield from _together(work, left, jobs)
            for number in list(islice(left, AHEAD * jobs)):
                yield number, _alone(work, left.pop(number), given_up, tries)
    finally:
        _end_workers()


def _together(work: Callable[[U], R], left: dict[int, U], jobs: int) -> Iterator[tuple[int, R]]:
    """Results until all are there or a process dies; takes what is finished from `left`."""
    try:
        with closing(_results(work, list(left.items()), jobs)) as results:
            for number, result in results:
                del left[number]
                yield number, result
    except BrokenProcessPool:
        return


def _alone(work: Callable[[U], R], unit: U, lost: Callable[[U], R], tries: int) -> R:
    for _ in range(tries):
        try:
            with closing(_results(work, [(0, unit)], 2)) as results:
                return next(result for _, result in results)
        except BrokenProcessPool:
            continue
    return lost(unit)


def _results(
    work: Callable[[U], R], units: Sequence[tuple[int, U]], jobs: int
) -> Generator[tuple[int, R], None, None]:
    import joblib

    with joblib.parallel_config(backend="loky", inner_max_num_threads=_threads()):
        parallel = joblib.Parallel(
            n_jobs=jobs, batch_size=1, pre_dispatch=AHEAD * jobs, return_as="generator_unordered"
        )
        results = parallel(joblib.delayed(_one)(work, number, unit) for number, unit in units)
    try:
        for result in results:  # noqa: UP028  (`yield from` would close it before `finally`)
            yield result
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that work under way is given up is meant
            results.close()


def _threads() -> int:
    """As many as this process has: the number of threads can change the last digits of a sum."""
    return int((os.environ.get("OMP_NUM_THREADS") or "1").split(",")[0])


def _one(work: Callable[[U], R], number: int, unit: U) -> tuple[int, R]:
    """What a worker runs."""
    _settle()
    return number, work(unit)


@cache
def _settle() -> None:
    """Once a worker: Ctrl-C is the run's to handle, and where the run is gone there is nobody to work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=leave_after, args=(os.getppid(),), daemon=True).start()


def _end_workers() -> None:
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)
