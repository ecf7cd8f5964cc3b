"""The plugin costs nothing until it is used: a run that loads it loads neither torch nor jax."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "jax", "haiku", "numpy", "tracr", "rich", "typer")
CONFTEST = f"""
import sys

def pytest_sessionfinish():
    print("\\nLOADED", *(name for name in {HEAVY!r} if name in sys.modules))
"""
UNUSED = """
import pytest
from tracrcheck.testing import cases

def test_nothing_of_ours():
    pass

@pytest.mark.skip
@cases("hist")
def test_not_run(case):
    pass
"""
USED = "def test_used(tracrcheck_case):\n    tracrcheck_case('successor').task\n"


def loaded_by_a_run(tmp_path, monkeypatch, test: str) -> set[str]:
    """The heavy packages loaded at the end of a pytest run, in a process of its own."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(test)
    words = ["-m", "pytest", "-s", "-p", "tracrcheck.pytest_plugin", "-p", "no:cacheprovider"]
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("LOADED"))
    return set(line.split()[1:])


def test_a_run_that_does_not_use_it_loads_nothing_heavy(tmp_path, monkeypatch):
    assert loaded_by_a_run(tmp_path, monkeypatch, UNUSED) == set()


def test_the_test_of_its_cost_can_fail(tmp_path, monkeypatch):
    assert loaded_by_a_run(tmp_path, monkeypatch, USED) >= {"torch", "tracr"}


def test_the_plugin_is_an_entry_point_of_pytest():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"tracrcheck": "tracrcheck.pytest_plugin"}
