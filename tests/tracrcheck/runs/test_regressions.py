"""Programs that failed once: every file of tests/regressions is replayed, and the files are read strictly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgeprune_core.errors import CheckError
from tests.tracrcheck.runs.test_fuzz import REFUSED
from tracrcheck.generator.accept import draw, numbered
from tracrcheck.runs import regressions
from tracrcheck.truth.setting import Setting

FOLDER = Path(__file__).parents[2] / "regressions"
FILES = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_what_failed_once_does_not_fail_again(path, request):
    case = regressions.read(path)
    assert case.note, "say what went wrong"
    if case.open is not None:
        # A method that is wrong here may be right on a processor that rounds otherwise; a proof may not.
        request.applymarker(pytest.mark.xfail(reason=case.open, strict=case.check != "recovers"))
    found = regressions.replay(case, timeout=600)
    assert found.passes, f"{found.why}: {case.note}"


def test_there_are_regressions():
    assert FILES


CASE = regressions.Regression(
    recipe=draw("5/1"),
    setting=Setting(),
    check="recovers",
    method="tests.tracrcheck.runs.pruners:right",
    note="for a test",
)


def test_a_saved_program_reads_back_equal(tmp_path):
    assert regressions.read(regressions.save(CASE, tmp_path)) == CASE


def test_a_program_saved_twice_is_one_file_and_another_setting_is_another(tmp_path):
    regressions.save(CASE, tmp_path)
    regressions.save(replace(CASE, note="in other words"), tmp_path)
    regressions.save(replace(CASE, setting=Setting(ablation="mean")), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("check", regressions.CHECKS)
def test_every_check_passes_on_a_program_that_is_right(check):
    assert regressions.replay(replace(CASE, check=check), timeout=60).passes


def test_every_check_fails_where_it_should():
    wrong = replace(CASE, method="random")
    assert regressions.replay(wrong, timeout=60).why == "unfaithful"
    narrow = regressions.read(FOLDER / "narrow-gap-mean-query.json")
    assert "narrow gap" in regressions.replay(narrow, timeout=60).why
    refused = regressions.Regression(recipe=numbered(20261123, REFUSED), setting=Setting(), check="compiles")
    assert not regressions.replay(refused, timeout=60).passes


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": "other"},
        {"check": "recover"},
        {"method": None},
        {"recipe": {}},
        {"setting": {"ablation": "nothing"}},
        {"surplus": 1},
    ],
)
def test_a_damaged_file_is_refused_with_its_name(tmp_path, damage):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(CASE.to_json() | damage))
    with pytest.raises(CheckError) as error:
        regressions.read(path)
    assert error.value.where == str(path)


def test_a_file_that_is_not_json_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(CheckError, match="TC152"):
        regressions.read(tmp_path / "x.json")
