"""The ledger: what is read is what was finished, whatever cut the writing short; every refusal says why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeprune_core.errors import CheckError
from tracrcheck.records import journal
from tracrcheck.records.journal import Ledger

ROOT = Path(__file__).parents[3]
HEADER = {"kind": "gate", "sources": {"packages": "a" * 64}, "started": "now"}


def opened(path, header=HEADER, *, resume=False) -> Ledger:
    return Ledger.open(path, header, resume=resume, agree=("kind", "sources"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.json.part"


@pytest.fixture
def three(path):
    """A ledger of three results."""
    found = opened(path)
    for n in range(3):
        found.append({"n": n})
    found.close()
    return path


def numbers(found: Ledger) -> list[int]:
    return [row["n"] for row in found.rows]


def test_what_is_read_is_what_was_written(three):
    found = opened(three, resume=True)
    assert numbers(found) == [0, 1, 2]
    assert found.sittings == 2
    found.append({"n": 3})
    found.close()
    assert numbers(opened(three, resume=True)) == [0, 1, 2, 3]


def test_the_header_stays_that_of_the_first_sitting(three):
    assert opened(three, {**HEADER, "started": "later"}, resume=True).header["started"] == "now"


def test_every_cut_of_the_file_keeps_the_results_before_it_and_goes_on(three):
    data = three.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    for cut in range(len(data) + 1):
        three.write_bytes(data[:cut])
        found = opened(three, resume=True)
        whole = sum(end <= cut for end in ends)
        assert numbers(found) == list(range(max(whole - 1, 0)))
        found.append({"n": 9})
        found.close()
        again = opened(three, resume=True)
        assert numbers(again) == [*range(max(whole - 1, 0)), 9]
        again.close()


def test_a_last_line_of_rubbish_is_dropped_as_one_that_was_cut(three):
    with three.open("ab") as file:
        file.write(b"\0\0\0\n")
    assert numbers(opened(three, resume=True)) == [0, 1, 2]


def test_seconds_add_up_over_sittings(three):
    lines = [json.loads(line) for line in three.read_text().splitlines()]
    for line, at in zip(lines[1:], (10.0, 20.0, 30.0), strict=True):
        line["at"] = at
    lines.append({"sitting": 2, "at": 5.0, "row": {"n": 3}})
    three.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = opened(three, resume=True)
    assert 35.0 <= found.seconds < 45.0
    assert found.sittings == 3


def test_a_ledger_that_is_removed_is_gone_and_its_place_is_free(three):
    opened(three, resume=True).remove()
    assert not three.exists()
    assert opened(three).rows == []


def refusal(path, **words) -> str:
    with pytest.raises(CheckError) as caught:
        opened(path, **words)
    return str(caught.value)


def test_an_unfinished_run_is_not_written_over(three):
    before = three.read_bytes()
    assert refusal(three).splitlines() == [
        f"TC140 {three} an unfinished run is there",
        "    got     3 finished results",
        "    wanted  no such file, or --resume",
        "    do      add --resume to continue it, or delete the file to start over",
    ]
    assert three.read_bytes() == before


def test_a_run_of_other_sources_is_refused_and_it_says_what_differs(three):
    other = {**HEADER, "sources": {"packages": "b" * 64}}
    assert refusal(three, header=other, resume=True).splitlines() == [
        f"TC141 {three} the unfinished run there is a different one",
        f"    got     sources packages: {'a' * 12} there, {'b' * 12} now",
        "    wanted  the same sources, method, settings and programs",
        "    do      repeat the command that started it, or delete the file to start over",
    ]


def test_the_second_of_two_runs_at_once_is_refused(three):
    first = opened(three, resume=True)
    for resume in (True, False):
        assert refusal(three, resume=resume).splitlines()[:2] == [
            f"TC142 {three} another run is writing its results there",
            "    got     a file that is locked",
        ]
    first.append({"n": 3})
    first.close()
    assert numbers(opened(three, resume=True)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("hello\n", "line 1: b'hello'"),
        ("hello", "b'hello'"),
        ('{"schema": "x/9"}\n', "schema 'x/9'"),
        ("[]\n", "schema None"),
        ('{"schema": "tracrcheck.ledger/1"}\nbroken\n{}\n', "line 2: b'broken'"),
    ],
)
def test_another_file_is_no_ledger_and_stays_as_it_is(path, text, got):
    path.write_text(text)
    for resume in (True, False):
        message = refusal(path, resume=resume)
        assert message.splitlines()[:2] == [
            f"TC145 {path} not the results of an unfinished run",
            f"    got     {got}",
        ]
        assert path.read_text() == text


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path):
    assert refusal(tmp_path / "no" / "x.part").startswith(f"TC115 cannot write '{tmp_path}/no/x.part'")


def test_a_write_that_fails_half_way_leaves_what_was_finished(three, monkeypatch):
    found = opened(three, resume=True)
    before = three.read_bytes()
    real = os.write

    def half(handle, data):
        real(handle, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal.os, "write", half)
    with pytest.raises(CheckError) as caught:
        found.append({"n": 3})
    monkeypatch.undo()
    assert str(caught.value).splitlines() == [
        f"TC115 cannot write '{three}'",
        "    got     No space left on device; the 3 results finished before are kept",
        "    wanted  room for it",
        "    do      make room, then continue with --resume",
    ]
    assert three.read_bytes() == before


FULL = """
import resource, sys
from tracrcheck.records.journal import Ledger
from pathlib import Path
found = Ledger.open(Path(sys.argv[1]), {"kind": "gate"}, resume=False, agree=())
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for n in range(10_000):
    found.append({"n": n})
"""


def test_a_full_disk_loses_nothing_that_was_finished(path):
    done = subprocess.run([sys.executable, "-c", FULL, path], cwd=ROOT, capture_output=True, text=True)
    assert "File too large; the" in done.stderr
    rows = numbers(opened(path, {"kind": "gate"}, resume=True))
    assert len(rows) > 20
    assert rows == list(range(len(rows)))
