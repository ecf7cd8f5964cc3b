"""`pytest --tracrcheck-method`: a test for every (program, ablation), in runs of their own."""

from __future__ import annotations

import re
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from tracrcheck.pytest_items import GatePlugin

METHOD = "tests.tracrcheck.pruners:knows_the_answer"
THREE = "--tracrcheck-programs=hist,xproportion,successor"


def method(name: str) -> str:
    return f"--tracrcheck-method=pruners:{name}"


def plugin_of(**options) -> GatePlugin:
    options = {f"tracrcheck_{name}": value for name, value in {"method": METHOD, **options}.items()}
    return GatePlugin.of(SimpleNamespace(getoption=options.get))


def test_every_option_reaches_what_the_plugin_does(tmp_path):
    usual = plugin_of()
    assert (usual.plan.seeds, usual.plan.timeout, usual.names, usual.json) == ((0,), 1800.0, (), None)
    assert [s.ablation for s in usual.plan.settings] == ["zero", "resample"]
    assert usual.plan.method_name == METHOD
    full = plugin_of(profile="full")
    assert full.plan.seeds == tuple(range(20))
    assert [s.ablation for s in full.plan.settings] == ["zero", "mean", "resample"]
    assert plugin_of(timeout=2.5).plan.timeout == 2.5
    assert plugin_of(timeout=2.5).replay_options == ("--timeout", "2.5")
    assert plugin_of(programs="hist, sort").names == ("hist", "sort")
    assert plugin_of(json=str(tmp_path / "out.json")).json == tmp_path / "out.json"
    assert plugin_of(method="random").plan.method_name == "random"


def test_a_program_that_cannot_be_collected_is_among_the_errors_of_the_file():
    plugin = plugin_of()
    for node, failed in (
        ("tracrcheck", True),
        ("tracrcheck::hist", True),
        ("tracrcheck::sort", False),
        ("mine.py", True),
    ):
        plugin.pytest_collectreport(SimpleNamespace(nodeid=node, failed=failed, longreprtext="why"))
    assert plugin.errors == {"tracrcheck": "why", "tracrcheck::hist": "why"}


def test_a_right_method_passes_every_program_under_every_ablation_of_quick(project):
    result = project.run(method("right"), THREE, "-v")
    result.assert_outcomes(passed=6)
    names = re.findall(r"^(tracrcheck::\S+) PASSED", result.stdout.str(), re.MULTILINE)
    programs = ("hist", "xproportion", "successor")
    assert names == [f"tracrcheck::{p}::{a}" for p in programs for a in ("zero", "resample")]
    result.stdout.fnmatch_lines(["tracrcheck: * hold, 0 fail, 0 unknown, * vacuous; *"])


def test_without_names_the_whole_zoo_is_collected_and_seen_by_k(project):
    from tests import zoo

    result = project.run(method("right"), "--collect-only", "-q")
    ids = [line for line in result.stdout.lines if line.startswith("tracrcheck::")]
    assert len(ids) == 2 * len(zoo.ALL)
    result = project.run(method("right"), "--collect-only", "-q", "-k", "reverse and zero")
    assert [line for line in result.stdout.lines if "::" in line] == ["tracrcheck::reverse::zero"]


def test_full_asks_for_every_ablation_and_is_marked_slow(project):
    words = [
        method("right"),
        "--tracrcheck-profile=full",
        "--tracrcheck-programs=hist",
        "--collect-only",
        "-q",
    ]
    result = project.run(*words)
    ids = [line for line in result.stdout.lines if line.startswith("tracrcheck::")]
    assert ids == [f"tracrcheck::hist::{a}" for a in ("zero", "mean", "resample")]
    assert project.run(*words, "-m", "not slow").parseoutcomes() == {"deselected": 3}


def test_a_failure_names_edges_expressions_witness_scores_and_replay(project):
    result = project.run(method("wrong_reverse"), "--tracrcheck-programs=reverse", "-k", "resample")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "FAILS reverse, resample, value, pruners:wrong_reverse, seed 0: unfaithful",
            "    missing 1:",
            "        tok -> a3.h0.v  carries tokens, into reverse = aggregate(reverse_selector, tokens)",
            "    extra   1:",
            "        tok -> out  carries tokens, into the output",
            "    witness input ['a'], corrupted by ['b'], position 1: want 'a', got 'b'",
            "    replay  tracrcheck gate reverse --ablation resample --criterion value --method pruners:wrong_reverse --seed 0",
        ],
        consecutive=True,
    )
    result = project.run(method("ranked"), "--tracrcheck-programs=hist", "-k", "zero")
    result.stdout.fnmatch_lines(["    scores  precision -, recall 0.000, F1 0.000; AUROC 0.500, *"])


def test_the_replay_gives_the_same_failure(project, monkeypatch):
    import shlex

    from typer.testing import CliRunner

    from tracrcheck.cli import app

    result = project.run(
        method("wrong"), "--tracrcheck-programs=hist", "-k", "zero", "--tracrcheck-timeout=60"
    )
    replay = re.search(r"replay  (tracrcheck .*)", result.stdout.str())[1]
    assert replay.endswith("--timeout 60")
    replayed = CliRunner().invoke(app, shlex.split(replay)[1:])
    assert replayed.exit_code == 1
    witness = re.search(r"witness .*", result.stdout.str())[0]
    assert witness in replayed.stdout


REASONS = {
    ("hist", "resample"): "raised",
    ("hist", "zero"): "timeout",
    ("xproportion", "resample"): "nan",
    ("xproportion", "zero"): "foreign_edges",
    ("successor", "resample"): "no_result",
    ("successor", "zero"): "raised",
    ("length", "resample"): "raised",
    ("length", "zero"): "raised",
}


@pytest.mark.parametrize("workers", [0, 2])
def test_each_fault_of_a_method_fails_with_its_own_reason_and_the_run_goes_on(project, workers):
    words = [
        f"{THREE},swap_ab,length",
        "--tracrcheck-timeout=1",
        "--tracrcheck-json=out.json",
        "--junitxml=out.xml",
    ]
    spread = ["-n", str(workers)] if workers else []
    result = project.run(method("each_in_its_own_way"), *words, *spread, xdist=bool(workers))
    dead = int(bool(workers))  # in a worker, one test of `swap_ab` kills the process that judges it
    result.assert_outcomes(failed=8 + dead, passed=2 - dead)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    document = project.json
    assert list(document) == ["verdicts", "summary", "errors", "finished"]
    assert document["finished"]
    rows = [(v["program"], v["ablation"]) for v in document["verdicts"]]
    assert rows == sorted(rows)
    failed = {k: v for k, v in zip(rows, document["verdicts"], strict=True) if v["verdict"] == "FAILS"}
    assert {k: v["reason"] for k, v in failed.items()} == REASONS
    assert [document["summary"][k] for k in ("holds", "fails", "unknown")] == [2 - dead, 8, 0]
    assert [e["test"] for e in document["errors"]] == ["tracrcheck::swap_ab::zero"] * dead
    assert all("crashed while running" in e["message"] for e in document["errors"])
    cases = {
        f"{c.get('classname')}.{c.get('name')}": c for c in ElementTree.parse("out.xml").iter("testcase")
    }
    failure = cases["tracrcheck.xproportion.zero"].find("failure")
    assert "FAILS xproportion, zero, value, " in failure.get("message")
    assert "a9.h0 -> out  is no edge of this graph" in failure.text
    assert "no answer within" in cases["tracrcheck.hist.zero"].find("failure").text
    for text in ("its process exited with code 0", "ValueError: \ufffd and \ufffd[[]31m"):
        result.stdout.fnmatch_lines([f"*{text}*"])


def test_a_worker_of_xdist_leaves_the_json_to_the_process_that_has_all_verdicts(tmp_path):
    from types import SimpleNamespace

    given = {"tracrcheck_method": "random", "tracrcheck_json": str(tmp_path / "out.json")}
    alone = SimpleNamespace(getoption=given.get)
    assert GatePlugin.of(alone).json == tmp_path / "out.json"
    assert GatePlugin.of(SimpleNamespace(getoption=given.get, workerinput={})).json is None


def test_a_run_that_is_stopped_leaves_a_file_that_says_so_and_nothing_of_an_earlier_run(project):
    words = ["--tracrcheck-programs=hist", "--tracrcheck-json=out.json"]
    project.run(method("right"), *words).assert_outcomes(passed=2)
    assert project.json["finished"]
    result = project.run(method("interrupts"), *words)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert (project.json["finished"], project.json["verdicts"]) == (False, [])
    assert project.run(method("wrong"), *words, "-x").ret == pytest.ExitCode.TESTS_FAILED
    assert (project.json["finished"], len(project.json["verdicts"])) == (False, 1)


def test_where_nothing_is_run_nothing_is_written(project):
    words = ["--tracrcheck-programs=hist", "--tracrcheck-json=out.json"]
    project.run(method("right"), *words)
    before = (project.path / "out.json").read_text()
    assert project.run(method("wrong"), *words, "--collect-only").ret == pytest.ExitCode.OK
    assert project.run(method("wrong"), *words, "-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert (project.path / "out.json").read_text() == before


def test_a_file_that_cannot_be_written_in_the_end_costs_no_failure_its_text(project):
    (project.path / "there").mkdir()
    result = project.run(
        method("takes_the_folder"), "--tracrcheck-programs=hist", "--tracrcheck-json=there/out.json"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*missing 1:*", "TC115 cannot write '*there/out.json'*"])


def test_of_many_seeds_the_first_failures_are_reported_and_the_others_named(project):
    words = [
        "--tracrcheck-profile=full",
        "--tracrcheck-programs=hist",
        "-k",
        "zero",
        "--tracrcheck-json=out.json",
    ]
    result = project.run(method("for_some_seeds"), *words)
    result.assert_outcomes(failed=1)
    assert [int(s) for s in re.findall(r"seed (\d+): ", result.stdout.str())][:3] == [3, 5, 7]
    result.stdout.fnmatch_lines(["and with seeds 11"])
    assert [v["seed"] for v in project.json["verdicts"]] == list(range(20))


def test_a_program_that_cannot_be_used_fails_its_own_tests_alone(project):
    (project.path / "bad.py").write_text(
        "from tracr.rasp import rasp\n"
        "from tracrcheck import Program\n"
        "program = Program(name='bad', build=lambda: rasp.tokens, vocab={0, 1}, max_seq_len=2)\n"
    )
    result = project.run(method("right"), "--tracrcheck-programs=bad.py,hist", "--tracrcheck-json=out.json")
    result.assert_outcomes(failed=2, passed=2)
    result.stdout.fnmatch_lines(["TC321 *bad.py*"])
    assert [e["test"] for e in project.json["errors"]] == [
        "tracrcheck::bad::resample",
        "tracrcheck::bad::zero",
    ]


def test_tests_of_the_project_run_alongside_it(project):
    project.pytester.makepyfile(test_own="def test_own(): pass")
    result = project.run(method("right"), "--tracrcheck-programs=hist")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["collected 3 items"])


WRONG = {
    "an unknown method": (["--tracrcheck-method=nope"], "TC113 --tracrcheck-method no method 'nope'"),
    "a method that does not import": (
        ["--tracrcheck-method=nope:nope"],
        "TC113 --tracrcheck-method the method 'nope:nope' cannot be imported",
    ),
    "an unknown profile": (
        [method("right"), "--tracrcheck-profile=quik"],
        "TC117 --tracrcheck-profile no profile 'quik' of tests",
    ),
    "a profile of the gate alone": (
        [method("right"), "--tracrcheck-profile=mutants"],
        "TC117 --tracrcheck-profile no profile 'mutants' of tests",
    ),
    "a variable that was not set": (
        [method("right"), "--tracrcheck-programs="],
        "--tracrcheck-programs is empty: give it a value, or leave it out",
    ),
    "a time limit that is none": (
        [method("right"), "--tracrcheck-timeout=-1"],
        "TC117 --tracrcheck-timeout not a time limit",
    ),
    "a file that cannot be written": (
        [method("right"), "--tracrcheck-json=/no/such/out.json"],
        "TC115 cannot write '/no/such/out.json'",
    ),
    "no method": (
        ["--tracrcheck-json=out.json"],
        "--tracrcheck-json needs --tracrcheck-method=MODULE:NAME",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_call_ends_as_a_usage_error_of_pytest(project, case):
    words, message = WRONG[case]
    result = project.run(*words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}*"])
    assert "Traceback" not in result.stderr.str()


def test_an_unknown_program_ends_the_collection_with_its_error(project):
    result = project.run(method("right"), "--tracrcheck-programs=revers", "--tracrcheck-json=out.json")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    (error,) = project.json["errors"]
    assert (error["test"], error["message"].splitlines()[0]) == ("tracrcheck", "TC101 no program 'revers'")
    assert not project.json["finished"]
    result.stdout.fnmatch_lines(["TC101 no program 'revers'", "*did you mean 'reverse'*"])
