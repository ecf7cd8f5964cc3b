"""Every program's docstring has one line that says what the program does, and examples that are right."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from tracrcheck.rasp.library import load_file

FILES = sorted((Path(__file__).parents[2] / "programs").glob("*.py"))


def run_examples(docstring: str, names: dict, where: str) -> doctest.TestResults:
    return doctest.DocTestRunner(verbose=False).run(
        doctest.DocTestParser().get_doctest(docstring, names, where, None, None)
    )


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_the_worked_example_of_a_program_is_right(path):
    docstring = path.read_text().split('"""')[1]
    assert docstring.splitlines()[0].strip(), "the first line says what it computes"
    results = run_examples(docstring, {"program": load_file(path).program}, path.stem)
    assert results.attempted >= 1
    assert results.failed == 0


def test_a_wrong_example_is_noticed(capsys):
    program = load_file(FILES[0]).program
    assert run_examples(">>> program.name\n'another'\n", {"program": program}, "wrong").failed == 1
    assert "another" in capsys.readouterr().out
