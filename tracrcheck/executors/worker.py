"""A worker process: started at its first call, reused for the next, one call at a time in its main thread.

It is a loky executor of one process, so a death belongs to exactly the call that was running. Calls and results travel as
bytes, so a process that only passes them on, such as a Dask worker, need not be able to load them. The process ends with the one that
started it.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing.reduction import ForkingPickler
from typing import Any

from tracrcheck.processes.process import Died, TookTooLong

# Seconds between two looks at whether the parent lives, and whether a result is still wanted.
LOOK = 0.5
# Libraries that take their number of threads from the environment.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Unwanted(Exception):
    """Nobody waits for the result any more, and the process was killed."""


def packed(thing: Any) -> bytes:
    return bytes(ForkingPickler.dumps(thing))


def unpacked(data: bytes) -> Any:
    return ForkingPickler.loads(data)


def threads_here() -> int:
    """The number of threads this process computes with. It can change the last digits of a sum."""
    return int((os.environ.get("OMP_NUM_THREADS") or "1").split(",")[0])


class Worker:
    """threads: of the process, by default as many as here. memory_mib: limit on what it may allocate. folder: to work in."""

    def __init__(
        self, *, threads: int | None = None, memory_mib: int | None = None, folder: str | None = None
    ) -> None:
        self._environment = dict.fromkeys(THREADS, str(threads or threads_here()))
        self._settings = (memory_mib, folder)
        self._executor: Any = None

    def run(self, work: Callable[..., Any], *args: Any, seconds: float | None = None) -> Any:
        """`work(*args)` there. Raises what it raises, `Died`, and `TookTooLong` after this many seconds."""
        return self.result(self.submit(work, *args), seconds=seconds)

    def submit(self, work: Callable[..., Any], *args: Any) -> Future[tuple[bool, bytes]]:
        """Starts the call. `work` is a function of a module, or a partial of one. One call at a time."""
        return self.submit_packed(packed((work, args)))

    def submit_packed(self, call: bytes) -> Future[tuple[bool, bytes]]:
        from joblib.externals.loky import ProcessPoolExecutor

        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                1, env=self._environment, initializer=_settle, initargs=(os.getpid(), *self._settings)
            )
        future = self._executor.submit(_called, call)
        _alive.add(self)
        _end_all_at_exit()
        return future

    def result(self, future: Future[tuple[bool, bytes]], *, seconds: float | None = None) -> Any:
        """Of a call. Raises as `run`."""
        end = None if seconds is None else time.monotonic() + seconds
        raised, data = self.packed_result(future, lambda: end is None or time.monotonic() < end, TookTooLong)
        if raised:
            raise unpacked(data)
        return unpacked(data)

    def packed_result(
        self,
        future: Future[tuple[bool, bytes]],
        wanted: Callable[[], bool],
        otherwise: type[Exception] = Unwanted,
    ) -> tuple[bool, bytes]:
        """Whether the call raised, and its result or error. Raises `Died`, or `otherwise` once it is not wanted."""
        while not wait([future], timeout=LOOK).done:
            if not wanted():
                self.end()
                raise otherwise
        try:
            return future.result()
        except BrokenProcessPool as error:
            self.end()
            raise Died(str(error.__cause__ or error)) from None

    def end(self) -> None:
        """Kills the process at once, with all that it started. A later call starts another."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None


_alive: weakref.WeakSet[Worker] = weakref.WeakSet()


@cache
def _end_all_at_exit() -> None:
    """Once loky has registered its own function, which would wait for calls under way: this one runs before it."""
    threading._register_atexit(_end_all)  # type: ignore[attr-defined]


def _end_all() -> None:
    for worker in list(_alive):
        worker.end()


# In the process ----------------------------------------------------------------------------------------


def _settle(parent: int, memory_mib: int | None, folder: str | None) -> None:
    """Once per process. Ctrl-C is for the parent to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_after, args=(parent,), daemon=True).start()
    if memory_mib is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_mib * 2**20,) * 2)
    if folder is not None and os.path.isdir(folder):
        os.chdir(folder)


def _leave_after(parent: int) -> None:
    """Ends this process, whatever it does, soon after its parent."""
    while os.getppid() == parent:
        time.sleep(LOOK)
    os._exit(1)


def _called(call: bytes) -> tuple[bool, bytes]:
    try:
        work, args = unpacked(call)
        return False, packed(work(*args))
    except BaseException as error:  # also a SystemExit or KeyboardInterrupt that the work raised
        error.add_note(f"In the worker process:\n{traceback.format_exc()}")
        return True, _portable(error)


def _portable(error: BaseException) -> bytes:
    """The error, or if it cannot be pickled one that quotes it."""
    try:
        unpacked(data := packed(error))
        return data
    except Exception:
        return packed(RuntimeError(f"{type(error).__name__}: {error}"))
