"""The test suite as a check of seeded faults: what it runs, what it says of a failure, and what is no kill."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from edgeprune_core.errors import CheckError
from tests.tracrcheck.mutants.test_hunt import KILLED, _mutant, call, told  # noqa: F401
from tracrcheck.mutants import MUTANTS, sandbox, suite, suite_process
from tracrcheck.mutants.sandbox import SUITE, Seen, Way, check
from tracrcheck.records.sources import reached
from tracrcheck.runs import mutants as runner

ROOT = Path(__file__).parents[3]


def _way(tmp_path, monkeypatch, text: str) -> Way:
    """A checkout of one file of tests."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text(textwrap.dedent(text))
    runs = "import sys, json\nfrom pathlib import Path\nfrom tracrcheck.mutants import suite_process\n"
    runs += "suite_process.main(json.loads(Path(sys.argv[1]).read_text()), ['tests'])\n"
    (tmp_path / "one.py").write_text(runs)
    monkeypatch.setattr(sandbox, "checkout", lambda: tmp_path)
    return Way(module="one", beside=("tests", "one.py"), processor=60, endless=False)


def test_a_fault_is_killed_by_the_first_test_that_fails_and_its_assertion(tmp_path, monkeypatch):
    way = _way(
        tmp_path,
        monkeypatch,
        """
        from edgeprune_core.graph import ResidualGraph

        def test_it_is_green():
            assert ResidualGraph

        def test_it_counts():
            n = ResidualGraph(n_layers=2, n_heads=1, n_kv_heads=1).n_edges
            assert n == 32, f"{n} edges"
        """,
    )
    seen = check(KILLED, runner.NOTHING, way=way)
    assert seen.error is None
    assert seen.red is not None
    assert seen.red.startswith("tests/test_one.py::test_it_counts: AssertionError: ")
    assert (
        check(
            _mutant("HEAD = ", "# A comment.\nHEAD = ", "edgeprune_core/families/base.py"),
            runner.NOTHING,
            way=way,
        )
        == Seen()
    )


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("def test(:", "test_one.py"),
        ("import sys; sys.exit(3)", "pytest ended with"),
        ("", "pytest ended with 5, and no test failed"),
    ],
)
def test_tests_that_cannot_be_collected_are_red_and_a_pytest_that_runs_none_is_no_kill(
    text, seen, tmp_path, monkeypatch
):
    found = check(None, runner.NOTHING, way=_way(tmp_path, monkeypatch, text))
    assert seen in (found.error or found.red or "")
    assert (found.red is None) == seen.startswith("pytest ended")


def test_a_copy_that_does_not_import_is_an_error_before_any_test_runs(tmp_path, monkeypatch):
    way = _way(tmp_path, monkeypatch, "def test(): assert False")
    crash = _mutant("HEAD = ", "HEAD = undefined\nHEAD = ", "edgeprune_core/families/base.py")
    assert check(crash, runner.NOTHING, way=way) == Seen(
        error="the copy does not import: NameError: name 'undefined' is not defined"
    )


def test_a_process_that_is_killed_is_red_and_one_out_of_time_is_an_error():
    def seen(code: int) -> Seen:
        done = subprocess.CompletedProcess([], code, stderr="last\n")
        return sandbox._seen({"imported": "other"}, done, mutated=True, way=SUITE)

    assert seen(-11) == Seen(red="the process died (-11): last")
    assert seen(1) == Seen(error="the process died (1): last")
    assert seen(-24) == Seen(error="the checks took more than 5400 seconds of processor, and none had failed")


def test_a_test_hangs_by_its_own_time_of_processor_or_clock():
    watch = suite_process.Watch(lambda seen: None)
    assert watch.hangs(1e9, 1e9) is None
    watch._at = ("tests/a.py::test", 10.0, 20.0)
    assert watch.hangs(10.0 + suite_process.LONGEST, 20.0 + suite_process.WAITING) is None
    assert watch.hangs(311.0, 20.0) == "tests/a.py::test: hangs, more than 300 seconds of processor"
    assert watch.hangs(10.0, 1821.0) == "tests/a.py::test: hangs, more than 1800 seconds by the clock"


def test_of_a_failure_its_first_line_is_told():
    assert suite_process.assertion("E\nlast line\n") == "last line"
    assert suite_process.assertion("") == "no word"


# Which tests --------------------------------------------------------------------------------------------


def test_what_is_run_exists_and_knows_no_faults():
    assert all((ROOT / name).exists() for name in (*suite.TESTS, *suite.BESIDE))
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py") if "prunelab" not in path.parts}
    left_out = {
        folder.name
        for folder in folders
        if not any(
            (ROOT / name).is_relative_to(folder) or folder.is_relative_to(ROOT / name) for name in suite.TESTS
        )
    }
    assert left_out == {
        "commands", "dask", "distributed", "docs", "e2e", "executors", "gpu", "grading", "mutants", "programs",
        "pytest_plugin", "quality", "records", "reports", "trained",
    }  # fmt: skip
    assert all(name in (suite.__doc__ or "") for name in left_out)
    whole = {str(p.relative_to(ROOT)) for p in (ROOT / "tests/tracrcheck/invariants").glob("test_*.py")}
    assert whole <= set(suite.TESTS)


def test_the_faults_fate_rests_on_every_file_that_has_one():
    edited = {ROOT / mutant.file for mutant in MUTANTS.values()}
    for by in ("gauntlet", "suite"):
        read = reached(runner.roots(by))
        assert edited <= set(read), by
        assert ROOT / "tracrcheck" / "mutants" / "faults" / "blind.py" in read
    files = set(suite.files(ROOT))
    assert {
        ROOT / "tests" / "zoo.py",
        ROOT / "tests" / "edgeprune_core" / "test_graph.py",
        ROOT / "programs" / "sort.py",
    } <= files
    assert not any("__pycache__" in path.parts for path in files)


def test_without_a_checkout_the_tests_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "package_folder", lambda package: tmp_path / "tracrcheck")
    with pytest.raises(CheckError) as caught:
        sandbox.checkout()
    assert str(caught.value) == (
        "TC158 --by suite the tests are not beside the packages\n"
        f"    got     no tests, programs, docs, pyproject.toml, ci/certificates.json, ci/subjects in {tmp_path}\n"
        "    wanted  a checkout of the sources\n"
        "    do      pip install -e . in a checkout, or leave --by out"
    )


def test_pytest_is_needed_by_the_process_of_the_tests_alone():
    code = "import sys, tracrcheck.runs.mutants; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


# The command --------------------------------------------------------------------------------------------


def test_a_hunt_by_the_suite_says_so_and_which_tests(told, tmp_path):  # noqa: F811
    path = tmp_path / "suite.json"
    done = call("--by", "suite", "--only", "clamp_missing", "--json", path)
    assert done.exit_code == 0, done.output
    run = json.loads(path.read_text())["run"]
    assert run["asked"] == {"mutants": ["clamp_missing"], "by": "suite", "tests": list(suite.TESTS)}


def test_a_way_to_check_that_is_none_is_a_wrong_call(told):  # noqa: F811
    done = call("--by", "luck")
    assert done.exit_code == 2
    assert done.stderr == (
        "TC117 --by no way to check a fault\n    got     luck\n    wanted  gauntlet or suite\n"
    )
