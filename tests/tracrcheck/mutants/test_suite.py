"""The test suite as a check of seeded faults: what it runs, what it reports of a failure, and what does not count as a kill."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ci.faults import suite, suite_process
from tests.tracrcheck.mutants.test_hunt import KILLED, _mutant, call, outcomes  # noqa: F401
from tracrcheck.cli import app
from tracrcheck.mutants import MUTANTS, sandbox
from tracrcheck.mutants.sandbox import Seen, Way, check
from tracrcheck.records.sources import reached
from tracrcheck.runs import mutants as runner

ROOT = Path(__file__).parents[3]


def _way(tmp_path, text: str) -> Way:
    """A checkout of one file of tests."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text(textwrap.dedent(text))
    runs = "import sys, json\nfrom pathlib import Path\nfrom ci.faults import suite_process\n"
    runs += "suite_process.main(json.loads(Path(sys.argv[1]).read_text()), ['tests'])\n"
    (tmp_path / "one.py").write_text(runs)
    (tmp_path / "ci" / "faults").mkdir(parents=True)
    shutil.copy(ROOT / "ci" / "faults" / "suite_process.py", tmp_path / "ci" / "faults")
    return Way(module="one", root=tmp_path, beside=("tests", "one.py", "ci"), processor=60, endless=False)


def test_a_fault_is_killed_by_the_first_test_that_fails_and_its_assertion(tmp_path):
    way = _way(
        tmp_path,
        """
        from edgeprune_core.graph import ResidualGraph

        def test_it_is_green():
            assert ResidualGraph

        def test_it_counts():
            n = ResidualGraph(n_layers=2, n_heads=1, n_kv_heads=1).n_edges
            assert n == 32, f"{n} edges"
        """,
    )
    seen = check(KILLED, suite.NOTHING, way=way)
    assert seen.error is None
    assert seen.red is not None
    assert seen.red.startswith("tests/test_one.py::test_it_counts: AssertionError: ")
    assert (
        check(
            _mutant("HEAD = ", "# A comment.\nHEAD = ", "edgeprune_core/families/base.py"),
            suite.NOTHING,
            way=way,
        )
        == Seen()
    )


def test_a_copy_that_is_checked_in_a_fork_is_seen_as_in_a_process_of_its_own(tmp_path):
    way = _way(
        tmp_path,
        """
        import os, sys

        def test_it_is_red():
            import edgeprune_core
            ours = [name for name in ("PYTHONPATH", "TRACRCHECK_CACHE") if not os.environ[name].startswith(os.getcwd())]
            assert not ours and edgeprune_core.__file__.startswith(os.getcwd()), ours
            os.kill(os.getpid(), 15) if os.path.exists("killed") else sys.exit("decimal" in sys.modules)
        """,
    )
    forked = replace(way, forked=("decimal", "no_such_module"))
    seen = [check(KILLED, suite.NOTHING, way=one) for one in (forked, forked, way)]
    assert seen[0] == seen[1] == seen[2]
    assert (seen[0].red or seen[0].error or "").startswith(
        "tests/test_one.py::test_it_is_red: SystemExit: True"
    )
    (tmp_path / "killed").touch()
    assert check(KILLED, suite.NOTHING, way=replace(forked, beside=(*way.beside, "killed"))) == Seen(
        red="the process died (-15): no word"
    )


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("def test(:", "test_one.py"),
        ("import pytest\ndef test(): pytest.exit('over', 3)", "pytest ended with 3"),
        ("", "pytest ended with 5, and no test failed"),
    ],
)
def test_tests_that_cannot_be_collected_are_red_and_a_pytest_that_runs_none_is_no_kill(text, seen, tmp_path):
    found = check(None, suite.NOTHING, way=_way(tmp_path, text))
    assert seen in (found.error or found.red or "")
    assert (found.red is None) == seen.startswith("pytest ended")


def test_a_copy_that_does_not_import_is_an_error_before_any_test_runs(tmp_path):
    way = _way(tmp_path, "def test(): assert False")
    crash = _mutant("HEAD = ", "HEAD = undefined\nHEAD = ", "edgeprune_core/families/base.py")
    assert check(crash, suite.NOTHING, way=way) == Seen(
        error="the copy does not import: NameError: name 'undefined' is not defined"
    )


def test_a_fault_that_names_tests_is_checked_by_those(tmp_path):
    way = _way(tmp_path, "def test_it_is_red():\n    assert False")
    (tmp_path / "tests" / "test_two.py").write_text("def test_it_is_green(): pass\ndef test_two(): assert 0")
    fault = replace(KILLED, tests=("tests/test_two.py",))
    seen = check(fault, suite.NOTHING, way=way)
    assert (seen.red or "").startswith("tests/test_two.py::test_two")
    green = replace(suite.NOTHING, tests=("tests/test_two.py::test_it_is_green",))
    assert check(None, green, way=way) == Seen()


def test_without_a_fault_all_tests_that_faults_name_are_run():
    targeted = replace(KILLED, tests=("tests/a.py", "tests/b.py"))
    asked = suite.battery([targeted, targeted]).asked
    assert asked == {"tests": ["tests/a.py", "tests/b.py"]}
    assert suite.battery([targeted, KILLED]).job.tests == (*suite.TESTS, "tests/a.py", "tests/b.py")


def test_a_process_that_is_killed_is_red_and_one_out_of_time_is_an_error():
    def seen(code: int) -> Seen:
        done = subprocess.CompletedProcess([], code, stderr="last\n")
        return sandbox._seen({"imported": "other"}, done, mutated=True, way=suite.SUITE)

    assert seen(-11) == Seen(red="the process died (-11): last")
    assert seen(1) == Seen(error="the process died (1): last")
    assert seen(-24) == Seen(error="the checks took more than 5400 seconds of CPU time, and none had failed")


def test_a_test_hangs_by_its_own_time_of_processor_or_clock():
    watch = suite_process.Watch(lambda seen: None)
    assert watch.hangs(1e9, 1e9) is None
    watch._at = ("tests/a.py::test", 10.0, 20.0)
    assert watch.hangs(10.0 + suite_process.LONGEST, 20.0 + suite_process.WAITING) is None
    assert watch.hangs(311.0, 20.0) == "tests/a.py::test: hangs, more than 300 seconds of CPU time"
    assert watch.hangs(10.0, 1821.0) == "tests/a.py::test: hangs, more than 1800 seconds by the clock"


def test_of_a_failure_its_first_line_is_reported():
    assert suite_process.assertion("E\nlast line\n") == "last line"
    assert suite_process.assertion("") == "no word"


# Which tests --------------------------------------------------------------------------------------------


def test_what_is_run_exists_and_knows_no_faults():
    assert all((ROOT / name).exists() for name in (*suite.TESTS, *suite.SUITE.beside))
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py") if "prunelab" not in path.parts}
    left_out = {
        folder.name
        for folder in folders
        if any(folder.is_relative_to(ROOT / name) for name in suite.SKIPPED)
        or not any(
            (ROOT / name).is_relative_to(folder) or folder.is_relative_to(ROOT / name) for name in suite.TESTS
        )
    }
    assert left_out == {
        "commands", "dask", "distributed", "docs", "e2e", "executors", "gpu", "grading", "mutants", "peers",
        "processes", "programs", "pytest_plugin", "quality", "records", "reports", "smollm2", "trained",
    }  # fmt: skip
    named = left_out - {"dask", "docs"}  # folders in executors and quality
    assert all(name in (suite_process.__doc__ or "") for name in named)


def test_the_faults_fate_rests_on_every_file_that_has_one():
    edited = {ROOT / mutant.file for mutant in MUTANTS.values() if not mutant.tests}
    table = ROOT / "tracrcheck" / "mutants" / "faults" / "blind.toml"
    own = (*runner.ROOTS, *runner.METHODS_ASKED)
    for roots in (own, (*own, *suite.modules())):
        assert {*edited, table} <= set(reached(roots))
    files = set(suite.files())
    everywhere = {ROOT / mutant.file for mutant in MUTANTS.values()}
    assert everywhere <= {*reached((*own, *suite.modules())), *files}
    assert {
        ROOT / "tests" / "zoo.py",
        ROOT / "tests" / "edgeprune_core" / "test_graph.py",
        ROOT / "programs" / "sort.py",
        ROOT / "ci" / "faults" / "suite_process.py",
    } <= files
    assert not any("__pycache__" in path.parts for path in files)


def test_without_the_script_recheck_names_it(monkeypatch):
    monkeypatch.delitem(runner.BATTERIES, "suite")
    done = CliRunner().invoke(app, ["recheck", str(ROOT / "ci" / "results" / "mutants-suite.json")])
    assert done.exit_code == 2
    assert done.stderr == (
        "TC117 run.asked.by these faults were checked by the tests of a checkout\n"
        "    got     suite\n    wanted  gauntlet\n"
        "    do      in a checkout: python -m ci.faults.suite recheck FILE\n"
    )


def test_pytest_is_needed_by_the_process_of_the_tests_alone():
    code = "import sys, tracrcheck.runs.mutants; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


# The command --------------------------------------------------------------------------------------------


def test_a_hunt_by_the_suite_says_so_and_which_tests(outcomes, tmp_path):  # noqa: F811
    path = tmp_path / "suite.json"
    done = CliRunner().invoke(suite.app, ["run", "--only", "clamp_missing", "--json", str(path)])
    assert done.exit_code == 0, done.output
    run = json.loads(path.read_text())["run"]
    assert run["asked"] == {"mutants": ["clamp_missing"], "by": "suite", "tests": list(suite.TESTS)}
    again = CliRunner().invoke(suite.app, ["recheck", str(path)])
    assert again.exit_code == 0, again.output
    assert "1 the same, 0 different" in again.stdout
    outcomes["clamp_missing"] = Seen()
    again = CliRunner().invoke(suite.app, ["recheck", str(path)])
    assert (again.exit_code, "0 the same, 1 different" in again.stdout) == (1, True)


def test_the_command_of_the_wheel_has_the_gauntlet_alone(outcomes):  # noqa: F811
    done = call("--by", "suite")
    assert done.exit_code == 2
    assert "No such option" in done.stderr
