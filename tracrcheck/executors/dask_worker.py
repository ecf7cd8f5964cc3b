"""Hands: processes beside a Dask worker that do its units of work, one each at a time.

A Dask worker runs what it is given in a thread. A time limit needs the main thread of a process, a method may kill the
process it runs in, and a worker that was started last week has last week's sources in memory. So the worker only
passes bytes on: to a process of its own that was started for this sweep, has compared its sources with the driver's,
and does the work in its main thread. Where it dies, the worker lives and says so. It leaves when the worker is gone,
when nobody has asked for anything for a while, and it is killed when the driver does not want the result any more.

    python -m tracrcheck.executors.dask_worker HANDLE PARENT

is that process. What goes to and fro is what `multiprocessing` sends between processes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Literal

from tracrcheck.executors.fingerprint import unlike

# Seconds between two looks at whether the other side still lives, and still wants to know.
WATCH = 0.5
# Seconds without a unit after which a process leaves.
IDLE = 60.0
# Libraries that take their number of threads from here.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

# died: at the unit; early: before it began, which says nothing of the unit.
Ending = Literal["result", "raised", "died", "early", "unlike", "dropped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Of one sweep. passport: what a hand must have (`passport.py`). folder: the driver's, where methods are found."""

    sweep: str
    passport: Mapping[str, Any]
    folder: str
    threads: int


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a unit. said: the result or the error as bytes; why it died; where it is unlike."""

    ending: Ending
    said: Any
    worker: str = ""


def packed(thing: Any) -> bytes:
    return bytes(ForkingPickler.dumps(thing))


def unpacked(data: bytes) -> Any:
    return ForkingPickler.loads(data)


# In the Dask worker ------------------------------------------------------------------------------------


class Unlike(Exception):
    """A process here has not what the driver has. Its argument: in words, a list."""


class Early(Exception):
    """A process was killed before it began anything. Its argument: how."""


class Hand:
    """A process, begun for one sweep. Raises `Unlike`, `Early`."""

    def __init__(self, terms: Terms) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            words = [
                sys.executable,
                "-P",
                "-m",
                "tracrcheck.executors.dask_worker",
                str(theirs.fileno()),
                str(os.getpid()),
            ]
            try:
                self._process = subprocess.Popen(
                    words, env=_environment(terms), cwd=_folder(terms), pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise Early(str(error)) from None
        try:
            self._connection.send(terms.passport)
            differs = unpacked(self._answer())
        except (OSError, EOFError):
            how = self.end()
            if how.startswith("signal"):
                raise Early(how) from None
            raise Unlike([f"a process that imports tracrcheck ends at once: {how}"]) from None
        if differs:
            self.end()
            raise Unlike(differs)

    def takes(self, request: bytes) -> bool:
        """Whether it is there still, and begins."""
        try:
            self._connection.send_bytes(request)
            return unpacked(self._answer()) is True
        except (OSError, EOFError):
            self.end()
            return False

    def result(self, wanted: Any) -> Done:
        """Waits for it, as long as it is `wanted()`."""
        try:
            while not self._connection.poll(WATCH):
                if not wanted():
                    self.end()
                    return Done("dropped", None)
                if self._process.poll() is not None and not self._connection.poll(0):
                    raise EOFError  # somebody else holds the other end open
            ending = unpacked(self._connection.recv_bytes())
            return Done(ending, self._connection.recv_bytes())
        except (OSError, EOFError):
            return Done("died", self.end())

    def _answer(self) -> bytes:
        while not self._connection.poll(WATCH):
            if self._process.poll() is not None and not self._connection.poll(0):
                raise EOFError
        return self._connection.recv_bytes()

    def end(self) -> str:
        """At once, with all that it started. How it ended, in words."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._connection.close()
        code = self._process.wait()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _environment(terms: Terms) -> dict[str, str]:
    """It imports what the worker does."""
    places = os.pathsep.join(place for place in sys.path if place)
    return os.environ | {"PYTHONPATH": places} | dict.fromkeys(THREADS, str(terms.threads))


def _folder(terms: Terms) -> str | None:
    return terms.folder if Path(terms.folder).is_dir() else None


_lock = threading.Lock()
_idle: dict[str, list[Hand]] = defaultdict(list)


async def greet(record: Mapping[str, Any]) -> list[str]:
    """Begins a process, to be ready. Where it is unlike the driver, in words."""
    terms = Terms(**record)
    try:
        hand = await asyncio.to_thread(Hand, terms)
    except Early:
        return []
    except Unlike as error:
        return list(error.args[0])
    with _lock:
        _idle[terms.sweep].append(hand)
    return []


async def dismiss(sweep: str) -> None:
    """The processes of a sweep that is over."""
    with _lock:
        hands = _idle.pop(sweep, [])
    for hand in hands:
        await asyncio.to_thread(hand.end)


def do(record: Mapping[str, Any], request: bytes) -> Done:
    """One unit: what the worker is given to run. record: the terms."""
    from distributed import get_worker

    terms, worker = Terms(**record), get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        """The scheduler takes back what nobody waits for any more."""
        state = worker.state.tasks.get(key)
        return state is not None and state.state != "cancelled"

    try:
        hand = _begun(terms, request)
    except Unlike as error:
        return Done("unlike", error.args[0], worker.address)
    except Early as error:
        return Done("early", error.args[0], worker.address)
    done = hand.result(wanted)
    if done.ending in ("result", "raised"):
        with _lock:
            _idle[terms.sweep].append(hand)
    return Done(done.ending, done.said, worker.address)


def _begun(terms: Terms, request: bytes) -> Hand:
    """A hand that is at the unit: one that waits, or a new one."""
    while True:
        with _lock:
            waiting = _idle[terms.sweep]
            hand = waiting.pop() if waiting else None
        fresh = hand is None
        hand = Hand(terms) if hand is None else hand
        if hand.takes(request):
            return hand
        if fresh:
            raise Early("without a word")


# The process -------------------------------------------------------------------------------------------


def main(handle: int, parent: int) -> None:
    """Ctrl-C is the driver's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(handle, False)
    threading.Thread(target=leave_after, args=(parent,), daemon=True).start()
    with Connection(handle) as connection, suppress(EOFError, OSError):
        connection.send(unlike(connection.recv()))
        while connection.poll(IDLE):
            request = connection.recv_bytes()
            connection.send(True)
            ending, said = _worked(request)
            connection.send(ending)
            connection.send_bytes(said)


def _worked(request: bytes) -> tuple[Ending, bytes]:
    try:
        work, unit = unpacked(request)
        return "result", packed(work(unit))
    except BaseException as error:  # Ctrl-C of a method's own is told like any other
        error.add_note(f"On the worker:\n{traceback.format_exc()}")
        return "raised", _portable(error)


def _portable(error: BaseException) -> bytes:
    """The error, or one that says what it was where it cannot be sent."""
    try:
        unpacked(data := packed(error))
        return data
    except Exception:
        return packed(RuntimeError(f"{type(error).__name__}: {error}"))


def leave_after(parent: int) -> None:
    """Ends this process, whatever it is at, soon after its parent."""
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
