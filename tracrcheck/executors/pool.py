"""Runs independent units of work in this process, in worker processes, or on a cluster; yields results as they finish.

A unit whose process dies (killed, out of memory) is tried once more. If the process dies again, the unit is given up, and
`lost` supplies its result. Other units are not affected.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

from tracrcheck.executors.dask_cluster import Cluster, hand_out
from tracrcheck.executors.worker import Died, Worker, threads_here

U = TypeVar("U")
R = TypeVar("R")

# Times that a unit may run before it is given up.
TRIES = 2


def sweep(
    work: Callable[[U], R],
    units: Sequence[U],
    *,
    jobs: int,
    lost: Callable[[U, str], R],
    tries: int = TRIES,
    cluster: Cluster | None = None,
) -> Iterator[tuple[int, R]]:
    """(index of the unit, its result): in order with one job, in order of completion with several or with a cluster.

    With several jobs or a cluster, `work` and the units are sent to other processes: `work` is a function of a module,
    or a partial of one. An exception in `work` ends the sweep. Closing the iterator, or Ctrl-C, kills the processes at
    once, those of a cluster within a second or two.
    """

    def given_up(unit: U) -> R:
        return lost(unit, f"the process at work on it died, {tries} times of {tries}")

    if cluster is not None:
        yield from hand_out(work, units, cluster, lost=given_up, tries=tries, threads=threads_here())
    elif jobs == 1:
        yield from enumerate(map(work, units))
    else:
        yield from _in_workers(work, units, jobs, given_up, tries)


def _in_workers(
    work: Callable[[U], R], units: Sequence[U], jobs: int, given_up: Callable[[U], R], tries: int
) -> Iterator[tuple[int, R]]:
    waiting = deque(range(len(units)))
    deaths: Counter[int] = Counter()
    idle = [Worker() for _ in range(min(jobs, len(units)))]
    workers = tuple(idle)
    running: dict[Future[Any], tuple[Worker, int]] = {}
    try:
        while waiting or running:
            while waiting and idle:
                worker, number = idle.pop(), waiting.popleft()
                running[worker.submit(work, units[number])] = worker, number
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                worker, number = running.pop(future)
                idle.append(worker)
                try:
                    result = worker.result(future)
                except Died:
                    deaths[number] += 1
                    if deaths[number] < tries:
                        waiting.append(number)
                        continue
                    result = given_up(units[number])
                yield number, result
    finally:
        for worker in workers:
            worker.end()
