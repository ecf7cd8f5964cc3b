"""`make coverage`: the shares are read as coverage writes them, and the bar is on lines."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "ci" / "covered.py"


@pytest.fixture(scope="module")
def covered():
    spec = importlib.util.spec_from_file_location("covered", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def summary(lines: int, of_lines: int, branches: int = 0, of_branches: int = 0) -> dict:
    return {
        "covered_lines": lines, "num_statements": of_lines, "covered_branches": branches, "num_branches": of_branches,
    }  # fmt: skip


def document(**files: dict) -> dict:
    names = summary(0, 0)
    return {
        "files": {name: {"summary": of, "missing_lines": [7]} for name, of in files.items()},
        "totals": {name: sum(of[name] for of in files.values()) for name in names},
    }


def test_what_coverage_writes_is_what_is_read(covered, tmp_path, capsys):
    (tmp_path / "one.py").write_text("import sys\nif len(sys.argv) > 9:\n    print(1)\nprint(2)\n")
    run = [sys.executable, "-m", "coverage"]
    options = {"cwd": tmp_path, "check": True, "capture_output": True}
    subprocess.run([*run, "run", "--branch", "--source=.", "one.py"], **options)
    subprocess.run([*run, "json", "-o", "out.json"], **options)
    assert covered.main(tmp_path / "out.json") == 1
    assert capsys.readouterr().out.splitlines() == [
        "| file | lines | branches | lines not run |",
        "|---|---|---|---|",
        "| one.py | 75.0 % | 50.0 % | 3 |",
        "| all 1 files | 75.00 % | 50.00 % | |",
        "75.00 % of lines; at least 95 % wanted",
    ]


@pytest.mark.parametrize(("lines", "code"), [(95, 0), (94, 1)])
def test_the_bar_is_on_the_lines_of_all_files_together(covered, tmp_path, lines, code):
    path = tmp_path / "found.json"
    path.write_text(json.dumps(document(a=summary(lines - 50, 50, 0, 9), b=summary(50, 50))))
    assert covered.main(path) == code


def test_a_file_that_is_covered_whole_takes_no_row_and_one_without_branches_is(covered):
    page = covered.page(document(a=summary(5, 5), b=summary(5, 5, 1, 2), c=summary(0, 4)))
    assert page[2:] == [
        "| c | 0.0 % | 100.0 % | 7 |",
        "| b | 100.0 % | 50.0 % | 7 |",
        "| all 3 files | 71.43 % | 50.00 % | |",
    ]
