"""Files of hunts and of runs without a fault: read back, checked, shown, stale, and a share of them made again."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tracrcheck.conftest import call, here  # noqa: F401
from tests.tracrcheck.mutants.test_hunt import ONE, outcomes  # noqa: F401
from tracrcheck.invariants import INVARIANTS
from tracrcheck.mutants import MUTANTS
from tracrcheck.mutants.sandbox import Seen
from tracrcheck.rasp.library import Library
from tracrcheck.runs import false_alarms, recheck
from tracrcheck.runs import mutants as runner
from tracrcheck.runs.kinds import read_any

NAMES = ("clamp_missing", "temperature_dropped", "rotary_sign")


@pytest.fixture
def hunted(outcomes, call, here):  # noqa: F811
    """Three faults, one written blind, in out.json."""
    words = [word for name in NAMES for word in ("--only", name)]
    assert call("mutants", *words, "--json", "out.json").exit_code == 0
    return json.loads(Path("out.json").read_text())


@pytest.fixture
def quiet(outcomes, call, here, monkeypatch):  # noqa: F811
    """Three runs without a fault, in out.json."""
    monkeypatch.setattr(false_alarms, "check", lambda mutant, job: Seen(red=outcomes.get(job.seed)))
    monkeypatch.setattr(false_alarms, "job_of", runner.job_of)
    assert call("mutants", "--false-alarms", "3", "--json", "out.json").exit_code == 0
    return json.loads(Path("out.json").read_text())


def put(document, change=lambda found: None):
    found = copy.deepcopy(document)
    change(found)
    Path("out.json").write_text(json.dumps(found))


# Hunts --------------------------------------------------------------------------------------------------


def first(found):
    return found["mutants"][0]


FAULTS = {
    "file.run: not there": lambda f: f.pop("run"),
    "run.asked.by: 'luck', wanted 'gauntlet' or 'suite'": lambda f: f["run"]["asked"].update(by="luck"),
    "run.asked.programs: not there": lambda f: f["run"]["asked"].pop("programs"),
    "run.asked.tests: not there": lambda f: f["run"]["asked"].update(by="suite"),
    "run.asked.mutants[0]: {}, wanted text": lambda f: f["run"]["asked"].update(mutants=[{}]),
    "run.sources.packages: None": lambda f: f["run"]["sources"].update(packages=None),
    "summary.blind: 1, but the rows come to {'killed': 1": lambda f: f["summary"].update(blind=1),
    "mutants[0].blind: 1, wanted true or false": lambda f: first(f).update(blind=1),
    "mutants[0].status: 'dead'": lambda f: first(f).update(status="dead"),
    "mutants: clamp_missing killed, and killed_by is None": lambda f: first(f).update(killed_by=None),
    "mutants: clamp_missing survived, and killed_by is 'some check: clamp_missing'": lambda f: first(
        f
    ).update(status="survived"),
    "mutants: one appears twice": lambda f: f["mutants"].append(first(f)),
    "mutants: not requested: other": lambda f: first(f).update(name="other"),
    "mutants: missing, though the run is finished: clamp_missing": lambda f: f["mutants"].pop(0),
    "summary.killed: 2, but the rows come to 1": lambda f: first(f).update(status="survived", killed_by=None),
}


@pytest.mark.parametrize("told_of", FAULTS)
def test_every_fault_of_a_file_of_faults_is_reported(hunted, told_of):
    assert runner.MUTANT_RUNS.problems(hunted) == []
    FAULTS[told_of](hunted)
    found = runner.MUTANT_RUNS.problems(hunted)
    assert any(line.startswith(told_of) for line in found), found


def test_a_faulty_file_of_faults_is_refused(hunted, call):  # noqa: F811
    put(hunted, lambda found: found["summary"].update(killed=9))
    result = call("recheck", "out.json")
    assert result.exit_code == 2
    assert result.stderr.startswith("TC143 out.json not a results file of the seeded faults\n")
    assert "`tracrcheck mutants --json FILE`" in result.stderr


def test_faults_that_are_run_again_are_the_same(hunted, call):  # noqa: F811
    result = call("recheck", "out.json", "--share", "1", "--seed", "5")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "out.json: 3 of 3 seeded faults run again, sample of seed 5",
        "3 the same, 0 different",
    ]


def test_a_fault_that_is_no_longer_caught_is_found(hunted, outcomes, call):  # noqa: F811
    outcomes["clamp_missing"] = Seen()
    result = call("recheck", "out.json", "--share", "1")
    assert result.exit_code == 1
    line = "DIFFERENT clamp_missing: killed (some check: clamp_missing) in the file, survived now"
    assert line in result.stdout.splitlines()


def test_a_file_of_faults_is_stale_by_its_sources_and_by_a_fault_that_is_gone(hunted, call):  # noqa: F811
    assert recheck.standing(read_any(Path("out.json")), Library.here()) == recheck.Standing()

    def other(found):
        found["run"]["sources"].update(packages="f" * 64)
        found["run"]["asked"]["mutants"][0] = first(found)["name"] = "gone"

    put(hunted, other)
    result = call("recheck", "out.json")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("STALE out.json: made from other sources")
    assert lines[1].startswith("    packages: ffffffffffff there, ")
    assert "    no fault gone now" in lines


@pytest.mark.parametrize(
    ("status", "by", "job"),
    [
        ("killed", "rotation on gpt2_0: got 1", (["hist"], ())),
        ("killed", "gate: sort mean seed 0: FAILS", (["hist", "sort"], ["mean"])),
        ("killed", "gate: hist zero seed 0: FAILS", (["hist"], ["zero"])),
        ("survived", None, (["hist", "square", "sort"], ["zero", "mean"])),
    ],
)
def test_what_was_red_is_run_again_and_of_a_survivor_all(status, by, job, monkeypatch):
    made = []
    monkeypatch.setattr(
        runner, "job_of", lambda programs, ablations, *, seed: made.append((programs, ablations)) or ONE
    )
    monkeypatch.setattr(runner, "hunt", lambda mutant, battery: battery)
    asked = {
        "by": "gauntlet",
        "programs": ["hist", "square", "sort"],
        "ablations": ["zero", "mean"],
        "seed": 0,
    }
    found = runner.Found(name="clamp_missing", why="", status=status, killed_by=by, seconds=1.0)
    runner.again(found, asked)
    assert made == [job]


def test_of_quiet_runs_other_invariants_are_checked_again_and_of_one_that_was_not_all(monkeypatch):
    plan = false_alarms.Plan(seeds=(0, 4, 8), programs=("hist", "sort"), ablations=("zero",))
    made: list = []
    whole = replace(ONE, only=None)
    monkeypatch.setattr(false_alarms, "job_of", lambda programs, ablations: made.append(programs) or whole)
    monkeypatch.setattr(false_alarms, "run", lambda seed, job: made.append(job.only))
    for seed, red in ((0, None), (4, None), (8, None), (8, "x")):
        run = false_alarms.QuietRun(seed=seed, red=red, error=None, seconds=1.0)
        false_alarms.again(run, plan)
    parts = made[1:6:2]
    assert sorted(name for part in parts for name in part) == sorted(i.name for i in INVARIANTS)
    assert made[0::2] == [("hist",), ("hist",), ("hist",), ("hist", "sort")]
    assert made[7] is None


def test_what_takes_longer_than_the_limit_is_drawn_only_where_all_does():
    rows = [
        runner.Found(name=str(n), why="", status="killed", killed_by="x", seconds=float(n))
        for n in (1, 5, 900)
    ]
    drawn = {recheck.sample(rows, share=0.02, seed=s, max_seconds=40)[0].name for s in range(20)}
    assert drawn == {"1", "5"}
    assert recheck.sample(rows[2:], share=0.02, seed=0, max_seconds=40) == rows[2:]


def test_the_page_of_faults_has_scores_survivors_and_a_row_each(hunted, call):  # noqa: F811
    def survivor(found):
        first(found).update(status="survived", killed_by=None)
        found["summary"].update(killed=1, survived=1)

    put(hunted, survivor)
    result = call("report", "out.json")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "# Seeded faults"
    assert "* killed: 1 of 2" in lines
    assert "* of those written blind: 1 of 1" in lines
    assert "    SURVIVED clamp_missing: gates run from below 0 to above 1" in lines
    assert any(
        line.startswith("| rotary_sign (blind) | killed | blind | some | some check")
        and MUTANTS["rotary_sign"].why in line
        for line in lines
    )


# Runs without a fault -----------------------------------------------------------------------------------


def test_runs_without_a_fault_are_written_with_seeds_that_share_no_model(quiet, call):  # noqa: F811
    assert quiet["schema"] == "tracrcheck.false_alarms/1"
    assert quiet["run"]["asked"]["seeds"] == [0, 4, 8]
    assert quiet["summary"] == {"runs": 3, "red": 0, "errors": 0}
    assert [row["seed"] for row in quiet["runs"]] == [0, 4, 8]
    assert false_alarms.FALSE_ALARMS.problems(quiet) == []
    page = call("report", "out.json").stdout
    assert "* 3 runs without a fault: 0 false alarms, 0 errors" in page.splitlines()


def test_a_false_alarm_is_reported_and_exits_with_1(quiet, outcomes, call):  # noqa: F811
    outcomes[4] = "rotation on gpt2_4: got 1"
    result = call("mutants", "--false-alarms", "2")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "2 runs without a fault: 1 false alarms, 0 errors"
    assert "RED seed 4: rotation on gpt2_4: got 1" in result.stdout


def test_runs_that_were_stopped_are_resumed(quiet, outcomes, call, monkeypatch):  # noqa: F811
    def stops(mutant, job):
        if job.seed == 4:
            raise KeyboardInterrupt
        return Seen()

    with monkeypatch.context() as patch:
        patch.setattr(false_alarms, "check", stops)
        stopped = call("mutants", "--false-alarms", "2", "--json", "two.json")
        assert stopped.exit_code == 130
        assert stopped.stderr.endswith("interrupted: these are the runs that were finished\n")
    result = call("mutants", "--false-alarms", "2", "--json", "two.json", "--resume")
    assert result.exit_code == 0, result.output
    assert "resumed: 1 of 2 runs were finished before" in result.stderr
    assert json.loads(Path("two.json").read_text())["run"]["sittings"] == 2


RUNS = {
    "run.asked.seeds: not there": lambda f: f["run"]["asked"].pop("seeds"),
    "runs[0].red: 1": lambda f: f["runs"][0].update(red=1),
    "runs: one appears twice": lambda f: f["runs"].append(f["runs"][0]),
    "runs: not requested: 9": lambda f: f["runs"][0].update(seed=9),
    "runs: missing, though the run is finished: 0": lambda f: f["runs"].pop(0),
    "summary.red: 0, but the rows come to 1": lambda f: f["runs"][0].update(red="x"),
}


@pytest.mark.parametrize("told_of", RUNS)
def test_every_fault_of_a_file_of_runs_is_reported(quiet, told_of):
    RUNS[told_of](quiet)
    found = false_alarms.FALSE_ALARMS.problems(quiet)
    assert any(line.startswith(told_of) for line in found), found


def test_a_run_that_is_no_longer_quiet_is_found(quiet, outcomes, call):  # noqa: F811
    assert call("recheck", "out.json").exit_code == 0
    outcomes[8] = "rotation on gpt2_8: got 1"
    result = call("recheck", "out.json", "--share", "1")
    assert result.exit_code == 1
    assert "DIFFERENT seed 8: quiet in the file, not quiet (rotation on gpt2_8: got 1) now" in result.stdout


@pytest.mark.parametrize("words", [("--only", "clamp_missing"), ("--list",), ("--unchecked",)])
def test_options_of_faults_are_refused_where_none_is_seeded(words, call):  # noqa: F811
    result = call("mutants", "--false-alarms", "2", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"TC117 {words[0]} an option for seeded faults, but none is seeded\n")
