"""Requests to the fork server: each gets its own reply, whatever happens between the two."""

from __future__ import annotations

import os

import pytest

from tracrcheck.processes import process
from tracrcheck.processes.process import Process
from tracrcheck.processes.serve import LOOK

ECHO = "tests.tracrcheck.processes.echo"


class Interrupting:
    """A connection on which something happens once, before a reply is read."""

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
    """As where the garbage collector ends it."""
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
