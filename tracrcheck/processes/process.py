"""A process that answers requests, and that can be trusted with nothing.

loky's workers (`executors/worker.py`) send pickles, which can make the process that reads them execute anything. Here an
answer is JSON, of a limited length, and whatever else the process does to its pipes counts as its death. A time limit kills
it with all that it started, whatever it is doing. What it prints goes to standard error, with its name in front.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from tracrcheck.processes.clean import is_only_a_command
from tracrcheck.processes.serve import ALIVE, COMMAND, FORK, LENGTH, LOOK, REAP, REPLY, copy_of_this_process

# Imported by the fork server.
PRELOAD = ("tracrcheck.grading.method_child",)
# Seconds between two looks at whether the process lives, while nothing arrives from it.
EVERY = 0.5
# Seconds that a process which closed its pipe has to end.
GRACE = 1.0
# Bytes of an answer, and of a line that is printed in parts beyond it.
LONGEST_ANSWER, LONGEST_LINE = 2**26, 2**14
# Bytes printed in one call that are passed on: a loop that prints would fill a disk before its time is up.
MOST_PRINTED = 2**22


class Died(Exception):
    """The process died during the call. The argument says how."""


class TookTooLong(Exception):
    """The call exceeded its time limit, and its process was killed."""


class Process:
    """Started at its first call, or by `begin`, and again after it died or was killed.

    module: its function `handle` gets the requests. name: stands before each line that is printed. environment: what
    differs from ours; None: absent. memory_mib: limit on what it may allocate. starts: how often it was started.
    """

    def __init__(
        self,
        module: str,
        *,
        name: str = "",
        environment: Mapping[str, str | None] = {},
        memory_mib: int | None = None,
    ) -> None:
        self.module, self.name, self.environment, self.memory_mib = module, name, environment, memory_mib
        self.starts = 0
        self._pid: int | None = None
        self._fds: list[int] = []
        self._unsent = memoryview(b"")
        self._line = b""
        self._printed = 0  # in this call

    @property
    def alive(self) -> bool:
        """Whether it runs. It may have ended between two calls: with a fork server that another method killed, say."""
        return self._pid is not None and self._server.alive and self._ended() is None

    def begin(self) -> None:
        if self.alive:
            return
        self.end()
        (theirs_in, self._requests), (self._answers, theirs_out), (self._prints, theirs_prints) = (
            os.pipe() for _ in range(3)
        )
        theirs = [theirs_in, theirs_out, theirs_prints]
        self._fds = [self._requests, self._answers, self._prints]
        try:
            self._server = server()
            self._pid, _ = self._server.ask(FORK, fds=theirs)
        except BaseException:  # Ctrl-C among them: without its pipe the new process ends
            for fd in self._fds:
                os.close(fd)
            self._fds = []
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        self.starts += 1
        _started.add(self)
        for fd in self._fds:
            os.set_blocking(fd, False)
        environment = {**os.environ, **self.environment}
        first = {
            "module": self.module,
            "environment": {name: value for name, value in environment.items() if value is not None},
            "path": _path(),
            "folder": os.getcwd(),
            "memory_mib": self.memory_mib,
        }
        data = json.dumps(first).encode()
        self._unsent = memoryview(LENGTH.pack(len(data)) + data)

    def call(self, request: bytes, *, seconds: float | None = None) -> Any:
        """The answer. Raises `Died`, and `TookTooLong` after this many seconds."""
        self._printed = 0
        try:
            self.begin()
            self._unsent = memoryview(b"".join((self._unsent, LENGTH.pack(len(request)), request)))
            return self._answer(None if seconds is None else time.monotonic() + seconds)
        except BaseException:  # Ctrl-C among them: the answer would be taken for that to the next request
            self.end()
            raise

    def end(self) -> None:
        """Kills the process at once, with all that it started."""
        if self._pid is None:
            return
        process, self._pid = self._pid, None
        if os.getpid() != self._server.of:  # a copy in a process that was forked from ours
            return
        if (
            self._server.alive
        ):  # otherwise it ended with its server, and its number may be that of another by now
            for kill in (os.killpg, os.kill):
                with suppress(ProcessLookupError, PermissionError):
                    kill(process, signal.SIGKILL)
            self._server.reap(process)
        self._print()
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def __del__(self) -> None:
        with suppress(Exception):
            self.end()

    def _answer(self, end: float | None) -> Any:
        received = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            selector.register(self._prints, selectors.EVENT_READ)
            selector.register(self._requests, selectors.EVENT_WRITE)
            while True:
                left = EVERY if end is None else min(EVERY, end - time.monotonic())
                if left <= 0:
                    raise TookTooLong
                ready = [key.fd for key, _ in selector.select(left)]
                if not ready and self._ended() is not None:
                    raise Died(self._how())
                if self._prints in ready and not self._print(at_end=False):
                    selector.unregister(self._prints)
                if self._requests in ready and not self._sent():
                    selector.unregister(self._requests)
                if self._answers in ready and self._received(received):
                    self._print(at_end=False)
                    return _read_answer(received)

    def _sent(self) -> bool:
        """Sends some of what is unsent. Returns whether anything is left."""
        try:
            sent = os.write(self._requests, self._unsent[: 2**16])
        except OSError:
            raise Died(self._how()) from None
        self._unsent = self._unsent[sent:]
        return bool(self._unsent)

    def _received(self, received: bytearray) -> bool:
        """Appends what has arrived. Returns whether that is the whole answer."""
        data = os.read(self._answers, 2**20)
        if not data:
            raise Died(self._how())
        received += data
        if len(received) < LENGTH.size:
            return False
        (length,) = LENGTH.unpack_from(received)
        if length > LONGEST_ANSWER or len(received) > LENGTH.size + length:
            raise Died("it sent something that is no answer")
        return len(received) == LENGTH.size + length

    # How it ended ------------------------------------------------------------------------------------------

    def _ended(self) -> tuple[int, int] | None:
        """`si_code` and `si_status`; None while it lives."""
        assert self._pid is not None
        try:
            code, status = self._server.ask(LOOK, self._pid)
        except OSError:  # its parent is gone, and so is the process
            return os.CLD_KILLED, signal.SIGKILL
        return None if code == ALIVE else (code, status)

    def _how(self) -> str:
        """How the process ended, in words."""
        end = time.monotonic() + GRACE
        while (ended := self._ended()) is None:
            if time.monotonic() > end:
                return "it closed the pipe that its answer comes through"
            time.sleep(0.01)
        code, status = ended
        if code == os.CLD_EXITED:
            return f"its process exited with code {status}"
        why = ", as where memory runs out" if status == signal.SIGKILL else ""
        return f"its process was killed by {signal.Signals(status).name}{why}"

    # What it prints ------------------------------------------------------------------------------------------

    def _print(self, *, at_end: bool = True) -> bool:
        """Passes on what has been printed. Returns whether there may be more."""
        more = True
        while more:
            try:
                data = os.read(self._prints, 2**16)
            except BlockingIOError:
                break
            more = bool(data)
            self._line += data
            *lines, self._line = self._line.split(b"\n")
            for line in lines:
                self._tell(line)
            if len(self._line) > LONGEST_LINE:
                self._tell(self._line)
                self._line = b""
        if at_end and self._line:
            self._tell(self._line)
            self._line = b""
        return more

    def _tell(self, line: bytes) -> None:
        if self._printed > MOST_PRINTED:
            return
        self._printed += len(line) + 1
        if self._printed > MOST_PRINTED:
            line = b"it printed more than %d MiB: the rest is left out" % (MOST_PRINTED >> 20)
        before = f"{self.name}: " if self.name else ""
        with suppress(OSError, ValueError):  # nobody reads it
            sys.stderr.write(f"{before}{line.decode(errors='backslashreplace')}\n")


def _read_answer(received: bytearray) -> Any:
    try:
        return json.loads(received[LENGTH.size :])
    except (ValueError, RecursionError):
        raise Died("it sent something that is no answer") from None


def _path() -> list[str]:
    """Where this process finds modules."""
    return [entry or os.getcwd() for entry in sys.path]


# The server ----------------------------------------------------------------------------------------------


class _Server:
    """The fork server of this process: a fresh Python, or a copy of this one (`serve_from_here`)."""

    def __init__(self, *, copied: bool = False) -> None:
        self.of = os.getpid()
        self._asked = 0
        self._asking = False
        self._unreaped: list[int] = []  # processes that ended between a request and its reply
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = copy_of_this_process(theirs.fileno()) if copied else self._fresh(theirs.fileno())

    def _fresh(self, control: int) -> int:
        code = (
            f"import sys; sys.path[:] = {_path()!r}; from tracrcheck.processes.serve import main; "
            f"main({control}, {PRELOAD!r})"
        )
        started = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.DEVNULL, pass_fds=[control], start_new_session=True
        )
        started.returncode = 0  # it is waited for here, by its number
        return started.pid

    @property
    def alive(self) -> bool:
        with suppress(ChildProcessError):
            return self.of == os.getpid() and os.waitpid(self._process, os.WNOHANG)[0] == 0
        return False

    def end(self) -> None:
        """Kills it. The system kills its children with it."""
        self._connection.close()
        if self.alive:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)

    def ask(self, operation: bytes, process: int = 0, *, fds: Sequence[int] = ()) -> tuple[int, int]:
        """The reply to this request. Ctrl-C may have left that of an earlier one unread."""
        self._asked += 1
        self._asking = True
        try:
            socket.send_fds(self._connection, [COMMAND.pack(self._asked, operation, process)], list(fds))
            while True:
                reply = self._connection.recv(REPLY.size, socket.MSG_WAITALL)
                if len(reply) < REPLY.size:
                    raise OSError("the fork server ended")
                number, first, second = REPLY.unpack(reply)
                if number == self._asked:
                    return first, second
        finally:
            self._asking = False
            while self._unreaped:
                self.reap(self._unreaped.pop())

    def reap(self, process: int) -> None:
        """Now, or after the request that is waiting: the garbage collector may end a process at any time."""
        if self._asking:
            self._unreaped.append(process)
        else:
            with suppress(OSError):
                self.ask(REAP, process)


_server: _Server | None = None
_started: weakref.WeakSet[Process] = weakref.WeakSet()


def server() -> _Server:
    """The fork server of this process, started if there is none."""
    global _server
    if _server is None or not _server.alive:
        if _server is None:
            atexit.register(_end_server)
        else:
            _server.end()
        _server = _Server()
    return _server


def serve_from_here() -> None:
    """Makes a copy of this process the fork server: one import of torch serves both.

    To be called by a command before it compiles a program, so that the copy knows no truth. The server is a fresh Python where
    the process does more than this command, or has threads, whose locks a copy may never get.
    """
    global _server
    if _server is not None:
        return
    for module in PRELOAD:
        importlib.import_module(module)
    alone = threading.active_count() == 1 and _native_threads() == 1
    _server = _Server(copied=is_only_a_command() and alone)
    atexit.register(_end_server)


def _native_threads() -> int:
    """As the system counts them; 2, where it does not say."""
    with suppress(OSError):
        return len(os.listdir("/proc/self/task"))
    return 2


def _end_server() -> None:
    for process in list(_started):
        process.end()
    if _server is not None:
        _server.end()
