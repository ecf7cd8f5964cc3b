"""The journal of a run: one JSON line per finished result, from which a run that was killed can be resumed.

The first line is a header that says what the run is; each other line holds one finished result. Lines are only appended,
and each has reached the disk before the next result is started: a crash costs at most the line that it cut in two, which
is dropped at the next reading. One run at a time holds the file.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgeprune_core.errors import CheckError, shortened
from tracrcheck.error_codes import unwritable, user_error

SCHEMA = "tracrcheck.ledger/1"


class Ledger:
    """An open journal: `rows` that are finished, `append`, and `close` or, once all is written elsewhere, `remove`.

    sittings: how often the run was started or resumed, including this time. seconds: of all of them, including this one so
    far; a session that was killed counts up to its last result.
    """

    def __init__(self, path: Path, handle: int, header: Mapping[str, Any]) -> None:
        self.path, self.header = path, dict(header)
        self.rows: list[dict[str, Any]] = []
        self._handle: int | None = handle
        self._size = 0
        self._before: dict[int, float] = {}
        self._started = time.monotonic()

    @classmethod
    def open(cls, path: Path, header: Mapping[str, Any], *, resume: bool, agree: Iterable[str]) -> Ledger:
        """Starts a journal, or resumes the one that is there.

        agree: the parts of the header that must be equal in a journal that is resumed. It keeps its first header. Errors:
        TC140 (an unfinished run is there, without `resume`), TC141 (it is another run's), TC142 (a run is writing it), TC145
        (not a journal), TC115 (cannot be written).
        """
        try:
            handle = _locked(path)
        except OSError as error:
            raise _unwritable(path, error) from None
        made = cls(path, handle, {"schema": SCHEMA, **header})
        try:
            made._start(resume, agree)
        except BaseException:
            made.close()
            raise
        return made

    def _start(self, resume: bool, agree: Iterable[str]) -> None:
        data = self.path.read_bytes()
        lines = _whole_lines(data)
        if not lines:
            if not data.startswith(b'{"schema"'[: len(data)]):
                raise self.unreadable(repr(data[:60]))
            self._truncate(0)
            self._write(self.header)
            return
        there, self._size = self._records(lines)
        if not resume:
            raise user_error("TC140", where=self.path, got=f"{len(there) - 1} finished results")
        differs = differences(there[0], self.header, agree)
        if differs:
            raise user_error("TC141", where=self.path, got="; ".join(differs))
        self.header = there[0]
        for line in there[1:]:
            self.rows.append(line["row"])
            self._before[line["sitting"]] = line["at"]
        self._truncate(self._size)

    def _records(self, lines: list[bytes]) -> tuple[list[dict[str, Any]], int]:
        """The lines read, and the bytes they take. A last line that is not JSON was cut by a crash."""
        found, size = [], 0
        for number, line in enumerate(lines):
            try:
                record = json.loads(line)
                if number and not {"row", "sitting", "at"} <= set(record):
                    raise ValueError("no result")
            except ValueError:
                if number and number == len(lines) - 1:
                    break
                raise self.unreadable(f"line {number + 1}: {line[:60]!r}") from None
            found.append(record)
            size += len(line) + 1
        schema = found[0].get("schema") if isinstance(found[0], dict) else None
        if schema != SCHEMA:
            raise self.unreadable(f"schema {schema!r}")
        return found, size

    def unreadable(self, got: str) -> CheckError:
        """TC145: a line that is not what this run writes."""
        return user_error("TC145", where=self.path, got=got, schema=SCHEMA)

    @property
    def sittings(self) -> int:
        return max(self._before, default=0) + 1

    @property
    def seconds(self) -> float:
        return sum(self._before.values()) + time.monotonic() - self._started

    def append(self, row: Mapping[str, Any]) -> None:
        """On disk when this returns. Errors: TC115; what was finished before stays readable."""
        at = round(time.monotonic() - self._started, 3)
        self._write({"sitting": self.sittings, "at": at, "row": row})
        self.rows.append(dict(row))

    def _write(self, record: Mapping[str, Any]) -> None:
        assert self._handle is not None, "a closed ledger"
        line = json.dumps(record, default=str, allow_nan=False).encode() + b"\n"
        try:
            written = 0
            while written < len(line):
                written += os.write(self._handle, line[written:])
            os.fsync(self._handle)
        except OSError as error:
            with suppress(OSError):
                self._truncate(self._size)
            raise _unwritable(self.path, error, finished=len(self.rows)) from None
        self._size += len(line)

    def _truncate(self, size: int) -> None:
        assert self._handle is not None, "a closed ledger"
        os.ftruncate(self._handle, size)

    def close(self) -> None:
        """Closes the file, so that a later run can resume it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def remove(self) -> None:
        """Everything is written elsewhere: the file goes."""
        with suppress(OSError):
            self.path.unlink()
        self.close()


def differences(there: Mapping[str, Any], here: Mapping[str, Any], parts: Iterable[str]) -> list[str]:
    """Where two headers differ, in words."""
    found = []
    for part in parts:
        a, b = there.get(part), here.get(part)
        if isinstance(a, dict) and isinstance(b, dict):
            found += [f"{part} {line}" for line in differences(a, b, dict.fromkeys((*a, *b)))]
        elif a != b:
            found.append(f"{part}: {_short(a)} there, {_short(b)} now")
    return found


def _short(value: Any) -> str:
    return shortened(value if isinstance(value, str) else json.dumps(value, default=str))


def _locked(path: Path) -> int:
    """An open handle that no other process has. Errors: TC142, `OSError`."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(path)):
                    return handle
        except BlockingIOError:
            os.close(handle)
            raise user_error("TC142", where=path, got="a file that is locked") from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # it was removed between the two calls: try again


def _whole_lines(data: bytes) -> list[bytes]:
    """Without what stands after the last end of line: a line cut by a crash."""
    return data.split(b"\n")[:-1]


def _unwritable(path: Path, error: OSError, *, finished: int | None = None) -> CheckError:
    found = unwritable(path, error)
    if finished is not None:
        found.got += f"; the {finished} results finished before are kept"
        found.do = "make room, then continue with --resume"
    return found
