"""Requests to the fork server: each gets its own reply, whatever happens between the two."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tracrcheck.processes import process
from tracrcheck.processes.process import Process
from tracrcheck.processes.serve import LOOK, below

ECHO = "tests.tracrcheck.processes.echo"


class Interrupting:
    """A connection that calls `happens` once, before a reply is read."""

    def __init__(self, connection, happens) -> None:
        self.connection, self.happens = connection, happens

    def recv(self, *args):
        happens, self.happens = self.happens, lambda: None
        happens()
        return self.connection.recv(*args)

    def __getattr__(self, name):
        return getattr(self.connection, name)


@pytest.fixture
def first():
    started = Process(ECHO)
    assert started.call(b"first") == "first"
    yield started
    started.end()


def test_a_reply_that_ctrl_c_left_unread_is_not_taken_for_that_of_the_next_request(first, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    server = process.server()
    monkeypatch.setattr(server, "_connection", Interrupting(server._connection, interrupt))
    with pytest.raises(KeyboardInterrupt):
        server.ask(LOOK, first._pid)
    second = Process(ECHO)
    assert second.call(b"second") == "second"
    assert os.getpgid(second._pid) == second._pid
    second.end()


def test_a_process_that_ends_while_another_is_being_started_does_not_get_its_reply(first, monkeypatch):
    """As if the garbage collector ended it."""
    server = process.server()
    monkeypatch.setattr(server, "_connection", Interrupting(server._connection, first.end))
    second = Process(ECHO)
    assert second.call(b"second") == "second"
    assert not first.alive
    second.end()


def test_a_process_whose_start_is_interrupted_leaves_no_file_open(first, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    server = process.server()
    second = Process(ECHO)
    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as once:
        once.setattr(server, "_connection", Interrupting(server._connection, interrupt))
        with pytest.raises(KeyboardInterrupt):
            second.begin()
    assert len(os.listdir("/proc/self/fd")) == before
    assert second.call(b"second") == "second"
    second.end()


def test_a_process_that_ended_with_its_server_between_two_calls_is_started_again(first):
    """If another method kills the server, this one is not to blame."""
    server, number = process.server(), first._pid
    os.kill(server._process, signal.SIGKILL)
    end = time.monotonic() + 10
    while server.alive or os.path.exists(f"/proc/{number}"):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert not first.alive
    assert first.call(b"again") == "again"
    assert first.starts == 2


def test_a_process_whose_server_is_gone_is_not_killed_by_its_number(first, monkeypatch):
    """The system may have given the number to another process since."""
    killed = []
    server = process.server()
    server.end()
    for name in ("kill", "killpg"):
        monkeypatch.setattr(os, name, lambda number, _: killed.append(number))
    first.end()
    assert killed == []


def test_what_the_server_kills_leaves_no_zombie(first):
    first.call(b"start")
    first.end()
    assert first.call(b"again") == "again"
    states = {}
    for number in below(process.server()._process):
        with open(f"/proc/{number}/stat") as file:
            states[number] = file.read().rpartition(")")[2].split()[0]
    assert "Z" not in states.values()
