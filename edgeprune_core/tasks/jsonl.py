"""Pairs of any task from a JSON-lines file, one object per line, read lazily.

Fields: `clean` and `corrupted` (texts), `answer` (a text that continues the clean prompt, or a list of them); and,
where known, `foil` (wrong ones) and `corrupted_answer` (what is right after the corrupted prompt). Other fields and
blank lines are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeprune_core.error_codes import user_error
from edgeprune_core.errors import CheckError
from edgeprune_core.tasks.base import Pair


def read_pairs(path: str | Path) -> Iterator[Pair]:
    """Errors: EP180 (no pair in it), EP181 (a line that is not a pair, with its number, or no such file)."""
    any_pair = False
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _pair(line, f"{path}:{number}")
                    any_pair = True
    except OSError as error:
        raise user_error("EP181.file", where=path, got=error.strerror) from None
    if not any_pair:
        raise user_error("EP180", where=path, got="an empty file", wanted="one pair per line")


def _pair(line: bytes, where: str) -> Pair:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise user_error("EP181.json", where=where, got=error) from None
    if not isinstance(record, dict):
        raise user_error("EP181.object", where=where, got=type(record).__name__)
    corrupted_answers = _texts(record, "corrupted_answer", where, optional=True)
    return Pair(
        clean=_text(record, "clean", where),
        corrupted=_text(record, "corrupted", where),
        answers=_texts(record, "answer", where) or (),
        foils=_texts(record, "foil", where, optional=True) or (),
        corrupted_answers=corrupted_answers,
        where=where,
    )


def _text(record: dict[str, Any], field: str, where: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not value:
        raise _field_error(record, field, where, "a text")
    return value


def _texts(
    record: dict[str, Any], field: str, where: str, *, optional: bool = False
) -> tuple[str, ...] | None:
    value = record.get(field)
    if value is None and optional:
        return None
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(v, str) and v for v in values):
        raise _field_error(record, field, where, "a text, or a list of texts")
    return tuple(values)


def _field_error(record: dict[str, Any], field: str, where: str, wanted: str) -> CheckError:
    got = repr(record[field]) if field in record else "fields " + ", ".join(sorted(record))
    return user_error("EP181.field", where=where, got=got, wanted=f"{field}: {wanted}", field=field)
