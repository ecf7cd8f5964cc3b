"""The tables of error codes and the sources agree: no row is missing or unused, and its fields are given."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from edgeprune_core import error_codes as engine
from edgeprune_core.errors import Message
from tracrcheck import error_codes
from tracrcheck.compiler.tracr_bugs import FAULT_CLASSES

ROOT = Path(__file__).parents[2]
FILES = sorted((*ROOT.glob("edgeprune_core/**/*.py"), *ROOT.glob("tracrcheck/**/*.py")))
TEXTS = sorted((ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/**/*.py")))
CODE = re.compile(r"\b(?:TC|EP)[0-9]{3}\b")
ROW = re.compile(r"((?:TC|EP)[0-9]{3})(?:\.[a-z][a-z0-9_]*)?")
ROWS = error_codes.TABLE.messages
RAISERS = {"user_error", "unknown_name"}
# Classes of fault that our way of building a program rules out; they are documented, and never raised.
PREVENTED = {"TC316", "TC317"}
REPLACED = {"what", "wanted", "do"}


def calls(source: str, names: Iterable[str]) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func).rpartition(".")[2]) in names:
            yield name, node


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def mistakes(source: str) -> Iterator[str]:
    """What is wrong with the calls of a file that raise a row: the row itself, or its fields."""
    for function, call in calls(source, RAISERS):
        given = {keyword.arg for keyword in call.keywords if keyword.arg}
        first = call.args[0]
        if not isinstance(first, ast.Constant):
            continue  # a variable: the rows it can name are written in the same file, where the test of unused rows finds them
        if first.value not in ROWS:
            yield f"{first.value} is in no table"
            continue
        if function == "unknown_name":
            given |= {"name", "do"}
        elif len(call.args) > 1:
            given.add("what")
        texts = {part: getattr(ROWS[first.value], part) for part in REPLACED}
        wanted = set().union(*(fields(text) for part, text in texts.items() if part not in given))
        if missing := wanted - given:
            yield f"{first.value} lacks {sorted(missing)}"
        if surplus := given - wanted - REPLACED - {"where", "got", "name"}:
            yield f"{first.value} has no field {sorted(surplus)}"


def by_hand(source: str) -> list[str]:
    """Codes written directly into `CheckError(...)`, not taken from the tables."""
    firsts = [call.args[0] for _, call in calls(source, {"CheckError"}) if call.args]
    return [ast.unparse(first) for first in firsts if isinstance(first, ast.Constant)]


def sources() -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in FILES}


def constants(source: str) -> set[str]:
    return {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def unused(rows: Iterable[str], texts: dict[Path, str]) -> set[str]:
    tables = {"tracr_bugs.py"}
    named = set().union(*(constants(text) for path, text in texts.items() if path.name not in tables))
    return set(rows) - named


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_an_error_is_a_row_of_a_table_with_its_fields(path):
    source = path.read_text(encoding="utf-8")
    assert list(mistakes(source)) == []
    assert by_hand(source) == []


@pytest.mark.parametrize(
    ("call", "mistake"),
    [
        ('user_error("TC999")', "TC999 is in no table"),
        ('user_error("TC115")', "TC115 lacks ['path']"),
        ('user_error("TC115", path=1, file=2)', "TC115 has no field ['file']"),
        ('user_error("TC101.file", "no such file", paths=2)', "TC101.file has no field ['paths']"),
        ('unknown_name("TC111", a, b)', "TC111 lacks ['kind']"),
    ],
)
def test_a_row_that_is_missing_or_lacks_a_field_is_noticed(call, mistake):
    assert list(mistakes(call)) == [mistake]


def test_an_error_outside_the_tables_is_noticed():
    assert by_hand('raise errors.CheckError("TC115", "cannot write")') == ["'TC115'"]


def test_every_row_is_raised():
    assert unused([*ROWS, *FAULT_CLASSES], sources()) == PREVENTED
    assert unused(["TC999"], sources()) == {"TC999"}


def test_every_code_is_of_our_form_and_belongs_to_its_package():
    assert all(ROW.fullmatch(row) for row in ROWS)
    assert all(code.startswith("EP") for code in engine.TABLE.messages)
    ours = [row for codes in error_codes.TABLE.own.values() for row in codes]
    assert all(code.startswith("TC") for code in [*ours, *FAULT_CLASSES])
    assert len({*engine.TABLE.messages, *ours, *FAULT_CLASSES}) == len(ROWS) + len(FAULT_CLASSES)


def test_a_code_has_one_plain_row_or_several_named_ones():
    plain = {row for row in ROWS if "." not in row}
    named = {row.partition(".")[0] for row in ROWS if "." in row}
    assert plain & named == set()


def test_an_error_fills_in_its_fields_and_takes_other_texts():
    error = error_codes.user_error("TC101.file", where="here", got=1, do="look", path="x.py")
    assert str(error) == (
        "TC101 here no program file 'x.py'\n    got     1\n    wanted  a Python file\n    do      look"
    )
    assert error_codes.user_error("TC115", "gone", path=1).what == "gone"


def test_a_name_that_is_unknown_gets_the_nearest_ones():
    error = error_codes.unknown_name("TC111", "zer", ["zero", "mean"], kind="ablation")
    assert str(error) == (
        "TC111 no ablation 'zer'\n    got     zer\n    wanted  zero, mean\n    do      did you mean 'zero'?"
    )


def test_a_message_is_a_sentence_without_a_full_stop():
    texts = [text for m in ROWS.values() for text in (m.what, m.wanted, m.do) if isinstance(m, Message)]
    assert [text for text in texts if text.endswith((" ", ";", ",")) or text != text.strip()] == []


def test_documents_and_tests_name_no_code_that_is_gone():
    known = {row.partition(".")[0] for row in ROWS} | set(FAULT_CLASSES)
    named = {
        code: path.name
        for path in TEXTS
        for code in CODE.findall(path.read_text(encoding="utf-8"))
        if code not in known and not code.endswith(("000", "999"))  # made up by a test
    }
    assert named == {}
