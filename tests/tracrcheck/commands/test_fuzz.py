"""`tracrcheck fuzz`: one draw, limits of a method's process, Ctrl-C and wrong calls. `runs/test_fuzz.py` has the rest."""

from __future__ import annotations

import json

import pytest

from tests.tracrcheck.runs.test_fuzz import RIGHT
from tracrcheck.runs import fuzz as campaign


def test_one_draw_is_examined_by_its_number(call):
    words = ["--seed", "5", "--number", "1", "--ablation", "zero"]
    assert call("fuzz", *words, "--method", RIGHT).exit_code == 0
    assert call("fuzz", *words, "--method", "random").exit_code == 1


def test_the_process_of_a_method_has_its_limit_and_in_process_is_said_wherever_it_ran(call, here):
    words = ["--seed", "5", "--ablation", "zero", "--method"]
    hoards = [*words, "tests.tracrcheck.grading.hostile:hoards_memory", "--memory", "1024"]
    result = call("fuzz", "--programs", "1", *hoards, "--json", "out.json")
    assert "raised\n    detail  MemoryError" in result.stdout
    assert f"--method {hoards[-3]} --memory 1024\n" in result.stdout  # the replay
    assert json.loads((here / "out.json").read_text())["run"]["asked"]["memory"] == 1024
    here_too = [*words, "tests.tracrcheck.runs.pruners:forgets_positions", "--in-process"]
    result = call("fuzz", "--programs", "1", *here_too, "--json", "out.json", "--save", "saved")
    assert "in process: the method ran where it is judged" in result.stdout
    assert " --in-process\n" in result.stdout
    (saved,) = (here / "saved").iterdir()
    for again in (["--seed", "5", "--number", "0", *here_too], ["--replay", saved, "--in-process"]):
        result = call("fuzz", *again)
        assert result.exit_code == 1
        assert "in process: the method ran where it is judged" in result.stdout
    assert "in process" in call("report", "out.json").stdout
    assert "in process" not in call("fuzz", "--replay", saved).stdout


def test_an_interrupted_run_keeps_what_was_finished_and_goes_on(call, here):
    words = ["--programs", "4", "--seed", "5", "--ablation", "zero", "--json", "out.json"]
    words += ["--method", "tests.tracrcheck.runs.pruners:interrupted_at_the_third"]
    stopped = call("fuzz", *words)
    assert stopped.exit_code == 130
    assert "the bar is not reached" in stopped.stdout
    document = json.loads((here / "out.json").read_text())
    assert document["summary"]["short"][0] == "programs: 2 of 4 were examined"
    assert (len(document["rows"]), document["run"]["finished"]) == (2, False)
    assert campaign.FUZZ.problems(document) == []
    assert call("fuzz", *words).exit_code == 2  # an unfinished run is there
    assert call("fuzz", *words, "--resume").exit_code in (0, 1)
    document = json.loads((here / "out.json").read_text())
    assert [row["verdict"] for row in document["rows"]] == ["HOLDS"] * 4
    assert document["run"]["finished"]


@pytest.mark.parametrize(
    "words",
    [
        ["--method", "nobody"],
        ["--ablation", "nothing"],
        ["--timeout", "0"],
        ["--resume"],
        ["--json", "nowhere/x.json"],
        ["--replay", "missing.json"],
        ["--seed", "20261123", "--number", "0", "--ablation", "zero", "--method", "nobody"],
    ],
)
def test_a_wrong_call_ends_with_2(call, here, words):
    result = call("fuzz", "--programs", "1", *words)
    assert (result.exit_code, "Traceback" in result.output) == (2, False), result.output
