"""Runs of the gate at scale: profiles, several processes, several sittings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracrcheck.calls import finished

METHODS = "tests.tracrcheck.pruners:"
SOME = METHODS + "some_edges"
ROOT = Path(__file__).parents[3]


def document(path="out.json"):
    return json.loads(Path(path).read_text())


def verdicts(path="out.json"):
    """The verdicts without the time they took."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in document(path)["verdicts"]]


def edit(path, change):
    found = document(path)
    change(found)
    Path(path).write_text(json.dumps(found))


def process(*words, cwd):
    """The gate in a process of its own, which may be killed."""
    return subprocess.run(
        [sys.executable, "-m", "tracrcheck.cli", "gate", *words],
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip


# Profiles ----------------------------------------------------------------------------------------------


@pytest.fixture
def nothing_runs(monkeypatch):
    """The header and the plan can be read, and nothing is run."""
    from tracrcheck.runs import gate
    from tracrcheck.truth import program_check

    monkeypatch.setattr(gate, "gate", lambda *a, **k: iter(()))
    monkeypatch.setattr(program_check, "prepare", lambda entries, settings: ([], []))


@pytest.mark.parametrize(
    ("words", "settings", "seeds"),
    [
        (["quick"], ["zero", "resample"], 1),
        (["full"], ["zero", "mean", "resample"], 20),
        (["full", "--ablation", "mean", "--seeds", "2"], ["mean"], 2),
        (["quick", "--ablation", "zero,resample"], ["zero", "resample"], 1),
    ],
)
def test_a_profile_covers_the_whole_zoo_with_its_ablations_and_seeds(
    call, here, nothing_runs, words, settings, seeds
):
    finished(call("gate", "--method", SOME, "--json", "out.json", "--profile", *words), 0)
    asked = document()["run"]["asked"]
    assert (asked["ablations"], asked["seeds"]) == (settings, list(range(seeds)))
    assert asked["programs"] == sorted(path.stem for path in (ROOT / "programs").glob("*.py"))


def test_a_profile_of_some_programs_covers_those_and_may_be_narrowed_to_fewer(call, here, nothing_runs):
    words = ["--method", SOME, "--json", "out.json", "--profile", "mutants"]
    finished(call("gate", *words), 0)
    asked = document()["run"]["asked"]
    assert len(asked["programs"]) == 12
    assert (asked["ablations"], asked["seeds"]) == (["zero", "mean", "resample"], [0])
    finished(call("gate", "hist", "sort", *words), 0)
    assert document()["run"]["asked"]["programs"] == ["hist", "sort"]
    refused = finished(call("gate", "hist", "length", *words), 2).stderr
    assert refused.startswith(
        "TC117 PROGRAM the profile 'mutants' does not include this\n    got     length\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["slow"], "TC117 --profile no profile 'slow'\n    got     slow\n    wanted  quick, full, mutants\n"),
        (
            ["quick", "--ablation", "zero,mean"],
            "TC117 --ablation the profile 'quick' does not include this\n    got     mean\n    wanted  some of zero, resample\n"
            "    do      narrow the profile, or leave --profile out\n",
        ),
        (
            ["quick", "--seeds", "2"],
            "TC117 --seeds the profile 'quick' does not include this\n    got     2\n    wanted  at most 1\n",
        ),
    ],
)
def test_an_option_that_a_profile_does_not_hold_is_refused(call, words, message):
    assert message in finished(call("gate", "hist", "--method", SOME, "--profile", *words), 2).stderr


def test_vacuous_settings_have_a_column_and_a_count_of_their_own(call, here):
    words = ["--ablation", "resample", "--method", METHODS + "nothing_kept"]
    result = finished(call("gate", "length", *words), 0)
    header, row = (line.split() for line in result.stdout.splitlines()[1:3])  # the criterion stands above
    assert header[6] == "vacuous"
    assert "vacuous" in row
    assert "0 hold, 0 fail, 0 unknown, 1 vacuous" in result.stdout


# Several processes -------------------------------------------------------------------------------------


def test_two_jobs_write_and_print_what_one_does(call, here):
    words = ["hist", "reverse", "--ablation", "zero", "--seeds", "2", "--timeout", "0.5"]
    words += ["--method", METHODS + "hangs_at_odd_seeds"]
    one = finished(call("gate", *words, "--json", "one.json"), 1)
    two = finished(call("gate", *words, "--json", "two.json", "--jobs", "2"), 1)
    assert verdicts("two.json") == verdicts("one.json")
    assert [v["reason"] for v in verdicts("two.json")] == ["unfaithful", "timeout"] * 2
    blocks = [result.stdout[result.stdout.index("FAILS hist,") :].rpartition(";")[0] for result in (one, two)]
    assert blocks[0] == blocks[1]


def swept_here(work, units, *, jobs, lost, cluster):
    """Finishes units as several processes may: the last one first. The one with seed 2 is lost."""
    for number, unit in reversed(list(enumerate(units))):
        yield number, lost(unit, "it died") if 2 in unit.seeds else work(unit)


def test_results_are_in_the_order_of_the_plan_whatever_came_first(call, here, monkeypatch):
    from tracrcheck.runs import base

    words = ["gate", "hist", "reverse", "--ablation", "zero,mean", "--seeds", "2", "--method", SOME]
    call(*words, "--json", "one.json")
    monkeypatch.setattr(base, "sweep", swept_here)
    call(*words, "--json", "two.json", "--jobs", "2")
    assert verdicts("one.json") == verdicts("two.json")


@pytest.mark.parametrize("method", ["some_edges", "Together"])
def test_what_a_dead_worker_had_is_a_verdict_with_its_reason(call, here, monkeypatch, method):
    """The other seeds have their own verdicts, even of a method that trains all seeds at once."""
    from tracrcheck.runs import base

    monkeypatch.setattr(base, "sweep", swept_here)
    words = ["--ablation", "zero", "--seeds", "3", "--json", "out.json", "--jobs", "2"]
    result = finished(call("gate", "hist", *words, "--method", METHODS + method), 1)
    reasons = {v["seed"]: v["reason"] for v in verdicts()}
    assert reasons == {seed: "raised" if seed == 2 else "unfaithful" for seed in range(3)}
    assert result.stdout.count("    detail  it died\n") == 1


@pytest.mark.slow
def test_a_worker_that_dies_costs_no_verdict(call, here):
    words = ["hist", "--ablation", "zero", "--seeds", "4", "--json", "out.json"]
    finished(
        call("gate", *words, "--method", METHODS + "killed_at_seed_two_the_first_time", "--jobs", "2"), 1
    )
    assert (here / "killed").exists()
    assert [v["reason"] for v in verdicts()] == ["unfaithful"] * 4


# Several sittings --------------------------------------------------------------------------------------


def test_a_run_that_was_killed_goes_on_from_its_last_verdict(call, here):
    words = ["hist", "--ablation", "zero,resample", "--seeds", "3", "--json", "out.json"]
    words += ["--method", METHODS + "killed_at_seed_two_the_first_time"]
    killed = process(*words, cwd=here)
    assert killed.returncode == -signal.SIGKILL
    assert not (here / "out.json").exists()
    begun = json.loads((here / "out.json.part").read_text().splitlines()[0])
    result = finished(call("gate", *words, "--resume"), 1)
    assert result.stderr.startswith("resumed: 2 of 6 verdicts were finished before")
    assert (here / "asked").read_text() == "0 1 2 2 0 1 2 "  # nothing that was finished is done again
    resumed, base = verdicts(), document()["run"]
    assert (base["sittings"], base["finished"]) == (2, True)
    assert {name: base[name] for name in ("command", "started", "machine", "commit")} == {
        name: begun[name] for name in ("command", "started", "machine", "commit")
    }  # of the session that began it
    assert "--resume" not in base["command"]
    assert [p.name for p in here.iterdir() if "part" in p.name] == []
    finished(call("gate", *words), 1)
    assert resumed == verdicts()
    assert document()["run"]["sittings"] == 1


def test_a_finished_run_is_not_done_again_where_it_is_to_be_resumed(call, here):
    words = ["hist", "--ablation", "zero", "--seeds", "2", "--json", "out.json"]
    words += ["--method", METHODS + "killed_at_seed_two_the_first_time"]
    finished(call("gate", *words), 1)
    before, asked = (here / "out.json").read_bytes(), (here / "asked").read_text()
    result = finished(call("gate", *words, "--resume"), 1)
    assert result.stderr == "out.json is this run, finished: there is nothing to resume\n"
    assert (here / "out.json").read_bytes() == before
    assert (here / "asked").read_text() == asked
    words[words.index("2")] = "1"
    refused = finished(call("gate", *words, "--resume"), 2)
    assert refused.stderr.startswith(
        "TC146 out.json the results there belong to another run\n    got     asked seeds: [0, 1] there"
    )
    assert (here / "out.json").read_bytes() == before
    finished(call("gate", *words), 1)
    assert len(verdicts()) == 1


def test_unfinished_results_without_their_journal_are_not_replaced_by_resume(call, here):
    words = ["hist", "--ablation", "zero", "--seeds", "2", "--json", "out.json"]
    words += ["--method", "tests.tracrcheck.pruners:knows_the_answer"]
    finished(call("gate", *words), 0)
    unfinished = document()
    unfinished["run"]["finished"] = False
    del unfinished["verdicts"][1]
    (here / "out.json").write_text(json.dumps(unfinished))
    before = (here / "out.json").read_bytes()
    refused = finished(call("gate", *words, "--resume"), 2)
    assert refused.stderr.startswith("TC146 out.json the run there cannot be resumed: its journal is missing")
    assert "wanted  out.json.part" in refused.stderr
    assert (here / "out.json").read_bytes() == before
    (here / "out.json").write_text(json.dumps(unfinished | {"verdicts": []}))  # nothing would be lost
    finished(call("gate", *words, "--resume"), 0)
    assert len(verdicts()) == 2


def test_a_run_that_was_interrupted_goes_on_too(call, here):
    words = ["gate", "hist", "--ablation", "zero", "--seeds", "3", "--json", "out.json"]
    words += ["--method", METHODS + "interrupted"]
    finished(call(*words), 130)
    assert not document()["run"]["finished"]
    refused = finished(call(*words), 2)
    assert refused.stderr.startswith(
        "TC140 out.json.part an unfinished run is there\n    got     1 finished results"
    )
    result = finished(call(*words, "--resume"), 130)
    assert result.stderr.startswith("resumed: 1 of 3 verdicts")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--method", SOME], f"asked method: {METHODS}interrupted there, {SOME} now"),
        (["--seeds", "4"], "asked seeds: [0, 1, 2] there, [0, 1, 2, 3] now"),
        (["--ablation", "mean"], 'asked ablations: ["zero"] there, ["mean"] now'),
        (["--lengths", "1-2"], "asked lengths: null there, [1, 2] now"),
    ],
)
def test_a_run_of_something_else_is_not_resumed(call, here, more, message):
    words = ["gate", "hist", "--ablation", "zero", "--seeds", "3", "--json", "out.json"]
    finished(call(*words, "--method", METHODS + "interrupted"), 130)
    last = {**dict(zip(words[2::2], words[3::2], strict=True)), "--method": METHODS + "interrupted"}
    last |= dict(zip(more[::2], more[1::2], strict=True))
    given = [word for pair in last.items() for word in pair]
    result = finished(call("gate", "hist", *given, "--resume"), 2)
    assert result.stderr.startswith("TC141 out.json.part the unfinished run there is a different one\n")
    assert message in result.stderr


def test_a_run_of_a_program_that_was_changed_since_is_not_resumed(call, write, here):
    words = ["--ablation", "zero", "--seeds", "3", "--json", "out.json", "--method", METHODS + "interrupted"]
    finished(call("gate", write("flip"), *words), 130)
    path = write("flip", max_seq_len=3)
    result = finished(call("gate", path, *words, "--resume"), 2)
    assert "TC141" in result.stderr
    assert "sources programs: " in result.stderr


def test_without_a_file_there_is_nothing_to_resume_from(call):
    result = finished(call("gate", "hist", "--method", SOME, "--resume"), 2)
    assert result.stderr.startswith("TC117 --resume nothing to resume from\n    got     no --json\n")


def test_a_wrong_call_leaves_no_file(call, write, here):
    path = write(
        "flip",
        build="rasp.Aggregate(rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE), rasp.tokens)",
    )
    finished(call("gate", path, "--method", SOME, "--json", "out.json"), 2)
    assert [p.name for p in here.iterdir()] == ["mine"]


# How a method ends ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("more", "seconds"), [((), 1800.0), (("--timeout", "7"), 7.0)])
def test_the_time_limit_reaches_the_plan(call, monkeypatch, more, seconds):
    from tracrcheck.runs import gate

    limits = []
    monkeypatch.setattr(gate, "gate", lambda programs, plan, **rest: iter(limits.append(plan.timeout) or ()))
    call("gate", "hist", "--ablation", "zero", "--method", SOME, *more)
    assert limits == [seconds]


def test_a_method_that_would_end_our_process_with_code_0_fails(call, here):
    before = os._exit
    result = finished(call("gate", "hist", "--ablation", "zero", "--method", METHODS + "leaves_well"), 1)
    assert "seed 0: raised\n    detail  its process exited with code 0\n" in result.stdout
    assert os._exit is before


def test_a_child_of_ours_may_end_itself_as_it_likes():
    program = """
import os
from tracrcheck.grading.no_exit import forbid_os_exit
with forbid_os_exit():
    if (child := os.fork()) == 0:
        os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "7\n"


def test_text_that_no_file_holds_has_marks_in_its_place_and_costs_no_report(call, here):
    files = ["--json", "r.json", "--junit", "r.xml", "--md", "r.md", "--html", "r.html"]
    words = ["--ablation", "zero", "--method", METHODS + "says_what_no_terminal_shows"]
    result = finished(call("gate", "hist", *words, *files), 1)
    assert "    detail  ValueError: \ufffd and \ufffd[31m\n" in result.stdout
    assert sorted(path.name for path in here.glob("r.*")) == ["r.html", "r.json", "r.md", "r.xml"]


def test_a_time_limit_is_part_of_the_replay(call, here):
    words = ["gate", "hist", "--ablation", "zero", "--method", METHODS + "raises"]
    assert finished(call(*words, "--timeout", "7.5"), 1).stdout.count(" --seed 0 --timeout 7.5\n") == 1
    assert "--timeout" not in finished(call(*words), 1).stdout
