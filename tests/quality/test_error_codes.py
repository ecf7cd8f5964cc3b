"""A code of an error stands for one thing: the rules for giving one out, and that texts name none that is gone."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((*ROOT.glob("edgeprune_core/**/*.py"), *ROOT.glob("tracrcheck/**/*.py")))
TEXTS = sorted((ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/**/*.py")))
CODE = re.compile(r"\b(?:TC|EP)[0-9]{3}\b")

# Codes that files of several packages raise, and the one thing each stands for.
SHARED = {
    "EP121": "two things of different graphs",
    "TC105": "the domain of a program",
    "TC106": "Tracr refuses a program",
    "TC115": "a file cannot be written",
    "TC116": "a name for a new file that cannot be taken",
    "TC117": "an option with a value that is none of its own",
}


def raised(source: str) -> Iterator[str]:
    """The codes given to `CheckError(...)` as they stand."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("CheckError") and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def place(path: Path) -> str:
    """A folder such as `tracrcheck/planted` is one place; so is a file that stands in none."""
    parts = path.relative_to(ROOT).parts
    pipeline = {
        "rasp",
        "compiler",
        "truth",
        "grading",
        "generator",
        "records",
        "executors",
        "trained",
        "runs",
        "mutants",
    }
    return "/".join(parts[:3] if parts[1] in pipeline or parts[1:3] == ("reports", "render") else parts[:2])


def clashes(sources: dict[Path, str]) -> dict[str, list[str]]:
    places = defaultdict(set)
    for path, source in sources.items():
        for code in raised(source):
            places[code].add(place(path))
    return {code: sorted(where) for code, where in places.items() if len(where) > 1 and code not in SHARED}


def sources() -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in FILES}


def test_a_code_is_raised_in_one_place_or_stands_in_the_list_with_its_meaning():
    assert clashes(sources()) == {}


def test_every_code_is_of_our_form():
    assert [code for text in sources().values() for code in raised(text) if not CODE.fullmatch(code)] == []


def test_a_second_use_of_a_code_is_noticed():
    more = sources()
    more[ROOT / "tracrcheck" / "new.py"] = 'raise CheckError("TC143", "something else")'
    assert clashes(more) == {"TC143": ["tracrcheck/new.py", "tracrcheck/runs/results.py"]}


@pytest.mark.parametrize("code", SHARED)
def test_a_code_in_the_list_is_raised_in_several_places_still(code):
    assert len({place(path) for path, text in sources().items() if code in raised(text)}) > 1


def test_documents_and_tests_name_no_code_that_is_gone():
    known = {code for text in sources().values() for code in CODE.findall(text)}
    named = {
        code: path.name
        for path in TEXTS
        for code in CODE.findall(path.read_text(encoding="utf-8"))
        if code not in known and not code.endswith("000")  # made up by a test
    }
    assert named == {}
