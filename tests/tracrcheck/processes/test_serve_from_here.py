"""The fork server of a command is a copy of it, made before it knows a truth; of any other process, a fresh Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.tracrcheck.grading.test_method_process import ended

ROOT = Path(__file__).parents[3]
SPY = """
import gc, json, os, sys

def find(task):
    alive = [type(thing).__name__ for thing in gc.get_objects()]
    json.dump({
        "truths": [name for name in alive if name in ("Certificate", "Compiled", "Program")],
        "modules": [name for name in sys.modules if name.startswith("tracrcheck.truth.")],
        "settings": [name for name in os.environ if name.startswith("TRACRCHECK_")],
        "files": [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")],
        "parents": open(f"/proc/{os.getppid()}/cmdline").read().split(chr(0)),
        "collected": gc.isenabled(),
    }, open("seen.json", "w"))
    return task.graph.edges
"""


def seen_by_a_method(here: Path) -> dict:
    (here / "spy.py").write_text(SPY)
    run = subprocess.run(
        [sys.executable, "-m", "tracrcheck", "gate", "hist", "--ablation", "zero", "--method", "spy:find"],
        cwd=here, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 1, run.stderr
    return json.loads((here / "seen.json").read_text())


def test_a_method_of_a_command_sees_no_truth_in_the_copy(tmp_path):
    seen = seen_by_a_method(tmp_path)
    assert seen["truths"] == []
    assert set(seen["modules"]) <= {"tracrcheck.truth.setting", "tracrcheck.truth.task"}
    assert seen["settings"] in ([], ["TRACRCHECK_CACHE"])
    assert seen["collected"]
    assert [path for path in seen["files"] if str(tmp_path) in path and not path.endswith("seen.json")] == []
    assert "gate" in seen["parents"]  # the server is a copy of the command


def test_a_process_that_does_more_than_a_command_is_not_copied():
    code = """
import time
from tracrcheck.processes import process

process.serve_from_here()
words, end = "", time.monotonic() + 10
while not words and time.monotonic() < end:  # empty while the new program is being loaded
    words = open(f"/proc/{process.server()._process}/cmdline").read()
print(words)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "serve_from_here" not in run.stdout  # a copy would have the same words
    assert "serve import main" in run.stdout


DRIVER = """
import os, signal, time
from pathlib import Path
from tests import zoo
from tracrcheck.grading.method_process import MethodProcess
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

name = "tests.tracrcheck.grading.hostile:leaves_a_process_in_a_session_of_its_own"
method = MethodProcess(name)
method.ask(task_of(zoo.compiled("hist"), Setting()), seed=0, timeout=60)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_where_the_process_that_judges_is_killed_all_that_a_method_started_ends(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", DRIVER], cwd=tmp_path, env=environment, check=False)
    assert run.returncode == -signal.SIGKILL
    assert ended((tmp_path / "left").read_text())
