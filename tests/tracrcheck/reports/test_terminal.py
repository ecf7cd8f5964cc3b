"""Progress where the output is not a terminal: a line every half minute, on standard error."""

from __future__ import annotations

import re
import time

from tracrcheck.reports.render import terminal


def slow(n: int):
    for number in range(n):
        time.sleep(0.3)
        yield number


def test_a_line_says_now_and_then_how_far_it_is_even_within_one_item(capsys, monkeypatch):
    monkeypatch.setattr(terminal, "EVERY", 0.05)
    assert list(terminal.progress(slow(2), 2, "work")) == [0, 1]
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert all(re.fullmatch(r"work: [01] of 2 after \d+ s", line) for line in lines)
    assert {line[:7] for line in lines} == {"work: 0", "work: 1"}


def test_what_takes_less_than_half_a_minute_says_nothing(capsys):
    assert terminal.EVERY == 30
    assert list(terminal.progress(range(3), 3, "work")) == [0, 1, 2]
    with terminal.still_running("work"):
        pass
    assert capsys.readouterr() == ("", "")


def test_what_has_no_items_says_that_it_is_running_and_stops_when_it_raises(capsys, monkeypatch):
    monkeypatch.setattr(terminal, "EVERY", 0.05)
    try:
        with terminal.still_running("work"):
            time.sleep(0.3)
            raise ValueError
    except ValueError:
        assert re.fullmatch(r"(work: running after \d+ s\n)+", capsys.readouterr().err)
    time.sleep(0.2)
    assert capsys.readouterr().err == ""
