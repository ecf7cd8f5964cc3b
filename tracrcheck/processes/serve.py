"""The fork server, and what its children do: answer requests, one at a time.

The server is a fresh Python that has imported torch, or a copy of a command that has imported torch and
compiled no program yet. It never computes anything, so it has no threads and knows no truth: forking it takes milliseconds, and a child starts clean. A child reads requests from one pipe
and writes answers to another; its standard output and error are a third. All of them end with the process that started
the server.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

# Requests to the server: a number, an operation and a process. FORK comes with three file descriptors.
COMMAND = struct.Struct("=Qci")
FORK, LOOK, REAP = b"f", b"l", b"r"
# The server's answer: the number of the request, and the new process; or how a process ended (`os.waitid`), ALIVE if it
# has not.
REPLY = struct.Struct("=Qii")
ALIVE = -1
# A frame on a pipe: its length, then as many bytes.
LENGTH = struct.Struct("=Q")


def main(control: int, preload: Sequence[str]) -> None:
    """The server. control: its end of a socket pair."""
    for module in preload:
        importlib.import_module(module)
    gc.freeze()  # a collection in a child would copy every page that holds an object
    gc.enable()  # a copy of a command that was importing has it off
    _keep_orphans()
    children: set[int] = set()
    with socket.socket(fileno=control) as connection:
        while True:
            message, fds, _, _ = socket.recv_fds(connection, COMMAND.size, 3, socket.MSG_WAITALL)
            if len(message) < COMMAND.size:  # the process that started it is gone
                _kill_orphans(set())
                return
            number, operation, process = COMMAND.unpack(message)
            connection.sendall(REPLY.pack(number, *_done(operation, process, fds, connection, children)))


def copy_of_this_process(control: int) -> int:
    """Forks the server. control: its end of the socket pair, the only file that it keeps. Returns its process."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()  # or the copy has the same text to print
    if (process := os.fork()) != 0:
        return process
    try:
        os.setsid()  # as a fresh one: Ctrl-C does not reach it
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.closerange(3, control)
        os.closerange(control + 1, os.sysconf("SC_OPEN_MAX"))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        main(control, ())
    finally:
        os._exit(0)


def _done(
    operation: bytes, process: int, fds: list[int], connection: socket.socket, children: set[int]
) -> tuple[int, int]:
    if operation == FORK:
        server = os.getpid()
        if (child := os.fork()) == 0:
            connection.close()
            _child(server, *fds)
        for fd in fds:
            os.close(fd)
        children.add(child)
        return child, 0
    wait = os.WNOHANG | os.WNOWAIT if operation == LOOK else 0
    ended = os.waitid(os.P_PID, process, os.WEXITED | wait)
    if operation == REAP:
        children.discard(process)
        _kill_orphans(children)
    return (ALIVE, 0) if ended is None else (ended.si_code, ended.si_status)


def below(process: int) -> list[int]:
    """What a process started, and what those started: also those that made a session of their own. Nothing without /proc."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = [process]
    for one in found:
        found += children.get(one, [])
    return found[1:]


def _keep_orphans() -> None:
    """The system makes this process the parent of what its own children leave behind, so that it can be found and killed."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def _kill_orphans(children: set[int]) -> None:
    """All that runs below this process but these children and what they started."""
    ours = {*children, *(one for child in children for one in below(child))}
    for orphan in set(below(os.getpid())) - ours:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(orphan, signal.SIGKILL)
        with suppress(ChildProcessError):  # it is below one that ends: the next call finds it here
            os.waitpid(orphan, 0)


def _end_with(parent: int) -> None:
    """The system kills this process when its parent ends. On systems without this call, it ends with its pipe."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


# In a child --------------------------------------------------------------------------------------------


def _child(server: int, requests: int, answers: int, prints: int) -> None:
    """Never returns."""
    status = 1
    try:
        os.setsid()  # Ctrl-C does not reach it
        _end_with(server)
        _keep_orphans()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _Prints.fd = prints
        print_to_the_pipe()
        if (first := _receive(requests)) is not None:
            handle = _settle(**json.loads(first))
            while (request := _receive(requests)) is not None:
                _send(answers, handle(request))
        status = 0
    finally:
        os._exit(status)


class _Prints:
    fd: int


def print_to_the_pipe() -> None:
    """Makes standard output and error what they were at first."""
    with suppress(OSError):  # the method may have closed it
        for fd in (1, 2):
            os.dup2(_Prints.fd, fd)
    sys.stdout, sys.stderr = map(_writer, (1, 2))


def _writer(fd: int) -> TextIO:
    return open(fd, "w", buffering=1, errors="backslashreplace", closefd=False)


def _settle(
    module: str, environment: dict[str, str], path: list[str], folder: str, memory_mib: int | None
) -> Callable[[bytes], Any]:
    """Makes this process one like that which asks for it. Returns what answers requests."""
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path
    os.chdir(folder)
    handle = importlib.import_module(module).handle
    if memory_mib is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + memory_mib * 2**20,) * 2)
    return handle


def _data_bytes() -> int:
    """What this process has allocated, as RLIMIT_DATA counts it."""
    with suppress(OSError), open("/proc/self/statm") as file:
        return int(file.read().split()[5]) * resource.getpagesize()
    return 0


def _receive(fd: int) -> bytes | None:
    """A frame; None at the end of the pipe."""
    head = _read(fd, LENGTH.size)
    return None if head is None else _read(fd, LENGTH.unpack(head)[0])


def _read(fd: int, size: int) -> bytes | None:
    parts: list[bytes] = []
    while size:
        part = os.read(fd, min(size, 2**20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _send(fd: int, answer: Any) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # the method may have closed or replaced it
            stream.flush()
    data = json.dumps(answer).encode()
    left = memoryview(LENGTH.pack(len(data)) + data)
    while left:
        left = left[os.write(fd, left) :]
