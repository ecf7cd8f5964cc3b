"""Planted GPT-2s with their certificates: one run, which is stopped and resumed, shown and rechecked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ci import planted as script
from edgeprune_core.errors import CheckError
from tests.quality.docs.test_schemas import complaint
from tracrcheck.cli import app
from tracrcheck.error_codes import user_error
from tracrcheck.planted import carried
from tracrcheck.rasp.library import Library
from tracrcheck.reports.kinds import page_of
from tracrcheck.runs import plants, recheck
from tracrcheck.runs.kinds import read_any


@pytest.fixture
def few(here, monkeypatch):
    monkeypatch.setattr(script, "share", lambda names, n: ["frac_prevs"])
    monkeypatch.setattr(plants, "PLANTED_UNDER", ("mean",))


def run(*words: str):
    done = CliRunner().invoke(script.app, [*words, "--json", "planted.json"])
    assert "Traceback" not in done.output
    return done


def test_a_run_that_time_ends_is_resumed_shown_and_rechecked(few):
    stopped = run("--large", "", "--minutes", "0")
    assert (stopped.exit_code, "1 of 1 plants are missing" in stopped.output) == (1, True)
    done = run("--large", "", "--folders", "d", "--resume")
    assert done.exit_code == 0, done.output
    document = json.loads(Path("planted.json").read_text())
    assert complaint("plants", document) is None
    (row,) = document["plants"]
    assert (row["program"], row["size"], row["layers"], row["heads"], row["n_edges"]) == (
        "frac_prevs",
        "own",
        2,
        1,
        32,
    )
    (truth,) = row["truths"]
    record = json.loads(Path("d/frac_prevs/truth.json").read_text())
    assert truth["n_required"] == len(record["truths"]["mean"]["certificate"]["required"])
    assert truth["weakest"] == record["truths"]["mean"]["tolerances"]["weakest"]
    assert row["outputs_within"] == record["outputs_within"]
    found = read_any(Path("planted.json"))
    assert (
        f"1 of {document['run']['asked']['n_causal']} causal programs, drawn at random, at their own size"
        in page_of(found)
    )
    shown = CliRunner().invoke(app, ["report", "planted.json"])
    assert (shown.exit_code, shown.stdout) == (0, page_of(found)), shown.output
    assert "| frac_prevs | 2 x 1 x 27 | 32 | mean |" in page_of(found)
    assert recheck.standing(found, Library.here()) == recheck.Standing()
    assert [pair.same for pair in recheck.again(found, found.units, Library.here())] == [True]
    other = replace(found.plants[0], truths=(replace(found.plants[0].truths[0], n_required=4),))
    assert not plants.PLANTS.same(other, found.plants[0], False)


def test_a_program_whose_truth_does_not_carry_over_is_a_row_with_the_reason(few, monkeypatch):
    def refuse(*_) -> CheckError:
        raise user_error(
            "TC164.truth", got="1 tolerance", wanted="at least 10", program="frac_prevs", ablation="mean"
        )

    monkeypatch.setattr(carried, "carried", refuse)
    done = run("--large", "", "--folders", "d")
    assert done.exit_code == 1
    assert "TC164 the truth of 'frac_prevs' does not carry over" in done.output
    assert not Path("d").exists()
    found = read_any(Path("planted.json"))
    assert (found.plants[0].truths, found.plants[0].n_edges) == ((), 0)


def test_a_plan_has_programs_at_their_own_size_and_others_at_that_of_gpt2():
    plan = plants.Plan(own=["a", "b"], n_causal=9, most_inputs=None, large=["a"], size="12x12", seed=0)
    assert plan.units() == [("a", "12x12"), ("a", "own"), ("b", "own")]
