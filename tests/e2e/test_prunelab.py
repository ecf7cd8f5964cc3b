"""Someone else's project, from a clean copy: red with its wrong pruner, edges and witness named; green with its right.

Once in this process, under zero ablation; and, slowly, whole, in an environment that has the wheel and no checkout.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tracrcheck import (
    pytest_items,  # noqa: F401 - loaded here first, to outlive a run in this process
    testing,  # noqa: F401 - loaded here first, to outlive a run in this process
)

PROJECT = Path(__file__).parent / "prunelab"
ROOT = Path(__file__).parents[2]


def copied(folder: Path) -> Path:
    return shutil.copytree(PROJECT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


def words(pruner: str) -> list[str]:
    method = f"--tracrcheck-method=prunelab.{pruner}:discover"
    return [f"--pruner={pruner}", method, "--tracrcheck-programs=reverse,hist", "-p", "no:cacheprovider"]


WHY = [
    "FAILS reverse, zero, value, prunelab.wrong:discover, seed 0: unfaithful",
    "    missing 2:",
    "        tok -> a0.h0.v  carries tokens, into length = selector_width(all_true_selector)",
    "        a0.h0 -> m0     carries length = selector_width(all_true_selector), into length = selector_width(all_true_selector)",
    "    witness input ['a'], position 1: want [1.0, 0.0, 0.0], got [0.5, 0.0, 0.0]",
    "    replay  tracrcheck gate reverse --ablation zero --criterion value --method prunelab.wrong:discover --seed 0",
]


@pytest.fixture
def checkout(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    copied(pytester.path)
    return lambda pruner: pytester.runpytest_inprocess(
        "-p", "tracrcheck.pytest_plugin", *words(pruner), "-k", "zero"
    )


def test_the_right_pruner_passes(checkout):
    checkout("right").assert_outcomes(passed=5, deselected=2)


def test_the_wrong_pruner_fails_in_its_own_tests_and_in_ours_with_edges_and_witness(checkout):
    result = checkout("wrong")
    result.assert_outcomes(passed=3, failed=2, deselected=2)
    result.stdout.fnmatch_lines([line.replace("[", "[[]") for line in WHY], consecutive=True)
    result.stdout.fnmatch_lines(
        ["E * FAILS reverse, zero, value: unfaithful", "E * missing 2:"], consecutive=True
    )


# The wheel ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The interpreter of a fresh environment: our wheel and prunelab's are installed, and of the packages of this
    environment all that they depend on can be imported, but not this checkout."""
    place = tmp_path_factory.mktemp("wheel")
    builders = pytest.importorskip("hatchling.builders.wheel")
    wheels = [
        next(builders.WheelBuilder(str(folder)).build(directory=str(place), versions=["standard"]))
        for folder in (ROOT, copied(place / "prunelab"))
    ]
    venv.create(place / "env", with_pip=False)
    interpreter = place / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--quiet", *wheels], check=True, env=clean())
    # A path in a .pth file is appended to sys.path, and .pth files there (our editable install) are not read.
    inside = next((place / "env" / "lib").glob("python*/site-packages"))
    (inside / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return interpreter


def clean() -> dict[str, str]:
    hidden = ("PYTHONPATH", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def run(python: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), *command], cwd=folder, env=clean(), capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_wheel_is_what_runs(python, tmp_path):
    code = "import tracrcheck, edgeprune_core, prunelab; print(*(m.__file__ for m in (tracrcheck, edgeprune_core, prunelab)))"
    places = run(python, tmp_path, "-c", code).stdout.split()
    assert len(places) == 3
    assert all(place.startswith(str(python.parents[1])) for place in places)


@pytest.mark.slow
def test_an_installed_wheel_brings_the_plugin_and_passes_the_right_pruner(python, tmp_path):
    done = run(python, copied(tmp_path), "-m", "pytest", *words("right"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^=+ 7 passed in ", done.stdout, re.MULTILINE)


@pytest.mark.slow
def test_an_installed_wheel_fails_the_wrong_pruner_with_edges_and_witness(python, tmp_path):
    done = run(python, copied(tmp_path), "-m", "pytest", *words("wrong"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "\n".join(WHY) in done.stdout
    assert re.search(r"^=+ 2 failed, 5 passed in ", done.stdout, re.MULTILINE)


@pytest.mark.slow
def test_the_replay_of_an_installed_wheel_fails_alike(python, tmp_path):
    command = WHY[-1].split()[2:]
    done = run(python, copied(tmp_path), "-c", "from tracrcheck.cli import main; main()", *command)
    assert done.returncode == 1, done.stdout + done.stderr
    assert WHY[4] in done.stdout
