"""`ci/gate/run`, the script behind the action and `make quick`: what it calls, what it stores, and its exit codes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.quality.test_workflows import ROOT, SCRIPT

STAND_IN = """#!/usr/bin/env bash
echo "$*" >> calls
[[ $1 == report ]] && { echo "page of $2"; [[ $2 != *unreadable* ]]; exit; }
while [[ $# -gt 0 ]]; do [[ $1 == --json ]] && echo '{}' > "$2"; shift; done
exit "${CODE:-0}"
"""


@pytest.fixture
def gate(tmp_path):
    """`gate(CODE="1", BASELINE="main.json")`: the script run with a stand-in for tracrcheck that ends with CODE."""
    stand_in = tmp_path / "bin" / "tracrcheck"
    stand_in.parent.mkdir()
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)
    path = {"PATH": f"{stand_in.parent}:{os.environ['PATH']}"}

    def run(**env):
        files = {"GITHUB_STEP_SUMMARY": "summary", "GITHUB_OUTPUT": "output"}
        return subprocess.run([SCRIPT], cwd=tmp_path, env=path | files | env, capture_output=True, text=True)

    return run


def asked_of(folder: Path) -> list[str]:
    return [line for line in (folder / "calls").read_text().splitlines() if line.startswith("gate")]


def test_without_a_stored_result_the_gate_runs_alone_and_the_page_says_so(gate, tmp_path):
    done = gate(BASELINE="main.json", ALLOW_KNOWN="true")
    assert done.returncode == 0, done.stderr
    assert asked_of(tmp_path) == [
        "gate --method edge_pruning_score_function --profile quick --jobs 2 --json build/ci/quick.json"
    ]
    summary = (tmp_path / "summary").read_text()
    assert summary.startswith(
        "There is no stored result of the main branch: nothing to compare with, and every"
    )
    assert summary.endswith("page of build/ci/quick.json\n")
    assert (tmp_path / "output").read_text() == "finished=true\n"


def test_with_a_stored_result_it_is_compared(gate, tmp_path):
    (tmp_path / "main.json").write_text("{}")
    asked = {
        "METHOD": "mine:find",
        "PROGRAMS": "hist sort",
        "OPTIONS": "--seeds 3 --score-bos",
        "SLOWER": "4",
    }
    done = gate(BASELINE="main.json", ALLOW_KNOWN="true", RESULT="a/b.json", JOBS="1", **asked)
    assert done.returncode == 0, done.stderr
    assert asked_of(tmp_path) == [
        "gate hist sort --method mine:find --profile quick --jobs 1 --seeds 3 --score-bos --baseline main.json --slower 4 "
        "--allow-known --json a/b.json"
    ]
    assert (tmp_path / "calls").read_text().endswith("report a/b.json --baseline main.json --slower 4\n")


def test_what_is_known_is_allowed_only_where_that_is_asked_for(gate, tmp_path):
    (tmp_path / "main.json").write_text("{}")
    gate(BASELINE="main.json", ALLOW_KNOWN="false")
    assert "--allow-known" not in asked_of(tmp_path)[0]


def test_a_stored_result_that_cannot_be_read_is_reported_and_not_compared_with(gate, tmp_path):
    (tmp_path / "unreadable.json").write_text("{}")
    assert gate(BASELINE="unreadable.json").returncode == 0
    assert "--baseline" not in asked_of(tmp_path)[0]
    assert "cannot be read by this version" in (tmp_path / "summary").read_text()


@pytest.mark.parametrize(("code", "stored"), [("1", True), ("2", False), ("130", False)])
def test_the_exit_code_is_the_gates_and_only_a_whole_run_is_stored(gate, tmp_path, code, stored):
    done = gate(CODE=code)
    assert done.returncode == int(code)
    assert (tmp_path / "output").exists() == stored
    assert "page of " in (tmp_path / "summary").read_text()


def test_an_earlier_result_is_not_shown_as_that_of_a_wrong_call(gate, tmp_path):
    (tmp_path / "old.json").write_text("{}")
    (tmp_path / "bin" / "tracrcheck").write_text("#!/bin/sh\nexit 2\n")
    assert gate(RESULT="old.json").returncode == 2
    assert "exit code 2 and no result" in (tmp_path / "summary").read_text()


PRUNER = """
from edgeprune_core.methods import METHODS

def discover(task):
    return sorted(METHODS["edge_pruning_score_function"](task).circuit)[{lost}:]
"""


@pytest.mark.slow
def test_a_pull_request_that_breaks_a_method_fails_and_the_page_names_what_is_wrong(tmp_path):
    """With the real tracrcheck: main stores its result, and a pull request loses an edge."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "tracrcheck").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tracrcheck.cli "$@"\n')
    (bin_folder / "tracrcheck").chmod(0o755)
    env = os.environ | {
        "PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": f"{tmp_path}:{ROOT}", "METHOD": "pruner:discover",
        "PROGRAMS": "hist", "OPTIONS": "--ablation zero", "BASELINE": "main.json", "JOBS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip

    def run(result: str, lost: int) -> tuple[int, str]:
        (tmp_path / "pruner.py").write_text(PRUNER.format(lost=lost))
        more = {"RESULT": result, "GITHUB_STEP_SUMMARY": f"{result}.md"}
        done = subprocess.run([SCRIPT], cwd=tmp_path, env=env | more, capture_output=True, text=True)
        return done.returncode, (tmp_path / f"{result}.md").read_text()

    code, page = run("first.json", 0)
    assert (code, page.splitlines()[0][:27]) == (0, "There is no stored result o")
    shutil.copy(tmp_path / "first.json", tmp_path / "main.json")
    code, page = run("same.json", 0)
    assert code == 0
    assert "**Not regressed.**" in page
    code, page = run("worse.json", 1)
    assert code == 1
    assert "**Regressed.**" in page
    assert "WRONG NOW   hist, zero, value, seed 0: FAILS, unfaithful" in page


def test_a_gate_that_ends_well_and_leaves_no_result_is_no_pass(tmp_path):
    (tmp_path / "tracrcheck").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "tracrcheck").chmod(0o755)
    env = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "RESULT": "out.json",
        "GITHUB_OUTPUT": "said",
    }
    done = subprocess.run([SCRIPT], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        3, "The gate ended without a result, though with exit code 0: that is no pass.\n"
    )  # fmt: skip
    assert not (tmp_path / "said").exists()
