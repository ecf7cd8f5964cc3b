"""A fault in a copy: killed, survived or an error; hunts that are stopped and resumed; what the command says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tracrcheck.cli import app
from tracrcheck.mutants import MUTANTS, Mutant
from tracrcheck.mutants.checks import Job, first_red
from tracrcheck.mutants.child_process import sources
from tracrcheck.mutants.sandbox import GAUNTLET, NoCopy, Seen, check, copied
from tracrcheck.runs import mutants as runner

KILLED = MUTANTS["layers_counted_for_heads"]
# One check of milliseconds, so that a process costs little more than its imports.
ONE = Job(programs=(), truths={}, out=Path(), only=("legal_edges",))


def _mutant(old: str, new: str, file: str = "edgeprune_core/weights.py") -> Mutant:
    return Mutant(name="made_up", file=file, old=old, new=new, why="made up", source="this test")


@pytest.fixture(scope="module")
def square() -> Job:
    """A job of one program, without invariants."""
    return replace(runner.job_of(["square"], ["zero"]), only=())


# A process of its own -----------------------------------------------------------------------------------


def test_a_fault_is_killed_by_the_first_check_that_is_red():
    found = runner.hunt(KILLED, runner.gauntlet(ONE))
    assert found.status == "killed"
    assert found.killed_by is not None
    assert found.killed_by.startswith("legal_edges on gpt2_0: the graph's edges: got 84, differing in ")
    assert found.why == KILLED.why


def test_an_edit_that_changes_nothing_survives():
    comment = _mutant("FORMAT = ", "# Of the file.\nFORMAT = ")
    assert check(comment, ONE) == Seen()


def test_a_crash_at_import_is_an_error_also_of_a_file_that_no_check_imports():
    crash = _mutant("HEAD = ", "HEAD = undefined\nHEAD = ", "edgeprune_core/families/base.py")
    found = runner.hunt(crash, runner.gauntlet(ONE))
    assert (found.status, found.killed_by) == (
        "error",
        "the copy does not import: NameError: name 'undefined' is not defined",
    )


@pytest.mark.slow
def test_checks_that_never_end_are_stopped_and_count_as_red():
    loop = "        while True:\n            pass"
    endless = _mutant("        return sum(self.reach)", loop, "edgeprune_core/graph.py")
    seen = check(endless, ONE, way=replace(GAUNTLET, processor=30))
    assert seen == Seen(red="time: the checks took more than 30 seconds of CPU time")


@pytest.mark.slow
def test_all_checks_are_green_on_the_code_as_it_is():
    runner.check_unmutated(runner.gauntlet())


# Copies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "file", "outcomes"),
    [
        ("no such text", "edgeprune_core/mask.py", "stands in edgeprune_core/mask.py 0 times, not once"),
        ("import", "edgeprune_core/mask.py", "times, not once"),
        ("import", "edgeprune_core/gone.py", "there is no file edgeprune_core/gone.py"),
    ],
)
def test_an_edit_that_does_not_apply_is_an_error_and_no_kill(old, file, outcomes):
    found = runner.hunt(_mutant(old, "x", file), runner.gauntlet(ONE))
    assert found.status == "error"
    assert found.killed_by is not None
    assert outcomes in found.killed_by


def test_a_copy_differs_in_the_edited_file_alone_and_the_original_stays():
    root = Path(__file__).parents[3]
    before = sources()
    with copied(KILLED) as folder:
        differing = [
            str(path.relative_to(folder))
            for path in sorted(folder.rglob("*.py"))
            if path.read_bytes() != (root / path.relative_to(folder)).read_bytes()
        ]
        assert differing == [KILLED.file]
        stale = list((folder / KILLED.file).parent.glob("__pycache__/graph.*"))
        assert stale == []
    assert not folder.exists()
    assert sources() == before
    with pytest.raises(NoCopy), copied(_mutant("no such text", "")):
        pass


# The gauntlet ------------------------------------------------------------------------------------------


def test_the_gate_is_green_by_the_certificate_and_red_by_another(square):
    assert first_red(square) is None
    record = dict(square.truths["square"]["zero"])
    short = replace(square, truths={"square": {"zero": record | {"required": record["required"][:1]}}})
    red = first_red(short)
    assert red is not None
    assert red.check == "gate: square zero seed 0"
    assert red.detail == "FAILS; not_smallest; extra m0 -> out"


def test_a_gate_that_raises_is_red(square):
    record = dict(square.truths["square"]["zero"]) | {"required": ["tok -> m7"]}
    red = first_red(replace(square, truths={"square": {"zero": record}}))
    assert red is not None
    assert "gate: square zero seed 0: raised CheckError: EP111 no reader 'm7' in this graph" in str(red)


def test_a_job_reads_back_equal(square):
    assert Job.loads(square.dumps()) == square
    assert Job.loads(ONE.dumps()) == ONE


# The hunt and its command --------------------------------------------------------------------------------


@pytest.fixture
def outcomes(monkeypatch):
    """What the processes of a hunt would report, without starting any: name -> Seen. Every other fault is killed."""
    said: dict[str | None, Seen] = {None: Seen()}

    def answer(mutant, job, **more):
        name = None if mutant is None else mutant.name
        if isinstance(said.get(name), type):
            raise said[name]
        return said.get(name, Seen(red=f"some check: {name}"))

    monkeypatch.setattr(runner, "check", answer)
    monkeypatch.setattr(runner, "job_of", lambda programs, ablations, **more: ONE)
    return said


def call(*words):
    return CliRunner().invoke(app, ["mutants", *map(str, words)])


def test_all_killed_exits_with_0_and_writes_what_killed_them(outcomes, tmp_path):
    path = tmp_path / "mutants.json"
    done = call("--only", "clamp_missing", "--only", "rotary_sign", "--json", path)
    assert done.exit_code == 0, done.output
    assert "killed: 1 of 1\nof those written blind: 1 of 1\n" in done.stdout
    record = json.loads(path.read_text())
    assert record["schema"] == "tracrcheck.mutants/1"
    assert record["run"]["finished"]
    assert set(record["run"]["sources"]) == {"packages", "programs", "method"}
    assert record["summary"] == {
        "killed": 1, "survived": 0, "error": 0, "total": 1, "seconds": record["summary"]["seconds"],
        "blind": {"killed": 1, "survived": 0, "error": 0, "total": 1},
    }  # fmt: skip
    first = record["mutants"][0]
    assert (first["name"], first["status"], first["killed_by"]) == (
        "clamp_missing",
        "killed",
        "some check: clamp_missing",
    )
    assert first["why"] == MUTANTS["clamp_missing"].why
    assert set(first) == {"name", "why", "status", "killed_by", "seconds", "blind"}
    assert not path.with_name("mutants.json.part").exists()


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (
            Seen(),
            "SURVIVED clamp_missing: gates run from below 0 to above 1\n    said    nothing: every check is green\n",
        ),
        (Seen(error="no"), "ERROR clamp_missing: gates run from below 0 to above 1\n    said    no\n"),
    ],
)
def test_a_survivor_or_an_error_exits_with_1_and_is_explained(outcomes, seen, wanted):
    outcomes["clamp_missing"] = seen
    done = call("--only", "clamp_missing")
    assert done.exit_code == 1
    assert wanted in done.stdout
    assert "killed: 0 of 1" in done.stdout


def test_a_check_that_is_red_without_a_fault_is_reported_and_nothing_runs(outcomes):
    outcomes[None] = Seen(red="some check: it fails")
    done = call("--only", "clamp_missing")
    assert done.exit_code == 2
    assert done.stderr == (
        "TC157 a check fails without any fault\n    got     some check: it fails\n"
        "    wanted  every check green on the unchanged code\n    do      fix that first\n"
    )


def test_a_hunt_that_is_stopped_is_resumed_and_runs_no_fault_twice(outcomes, tmp_path):
    path = tmp_path / "mutants.json"
    words = ["--only", "clamp_missing", "--only", "temperature_dropped", "--json", path]
    outcomes["temperature_dropped"] = KeyboardInterrupt
    done = call(*words)
    assert done.exit_code == 130
    assert done.stderr.endswith("interrupted: these are the faults that were finished\n")
    assert not json.loads(path.read_text())["run"]["finished"]
    outcomes["clamp_missing"] = RuntimeError
    outcomes["temperature_dropped"] = Seen(red="another check: red")
    done = call(*words, "--resume")
    assert done.exit_code == 0, done.output
    assert "resumed: 1 of 2 faults were finished before" in done.stderr
    record = json.loads(path.read_text())
    assert record["run"]["sittings"] == 2
    assert [m["killed_by"] for m in record["mutants"]] == ["some check: clamp_missing", "another check: red"]


@pytest.mark.parametrize(("seen", "code"), [(Seen(red="some check"), 0), (Seen(), 1)])
def test_a_finished_hunt_is_not_done_again_where_it_is_to_be_resumed(outcomes, tmp_path, seen, code):
    path = tmp_path / "mutants.json"
    words = ["--only", "clamp_missing", "--json", path, "--resume"]
    outcomes["clamp_missing"] = seen
    assert call(*words).exit_code == code
    before = path.read_bytes()
    outcomes["clamp_missing"] = RuntimeError
    done = call(*words)
    assert done.exit_code == code
    assert done.stderr == f"{path} is this run, finished: there is nothing to resume\n"
    assert path.read_bytes() == before


def test_the_list_names_every_fault_and_runs_none(outcomes):
    outcomes[None] = RuntimeError
    done = call("--list")
    assert done.exit_code == 0
    assert all(name in done.stdout for name in MUTANTS)


def test_a_wrong_name_is_a_wrong_call():
    assert call("--only", "nothing").exit_code == 2
