"""Many seeds: resumed where they were stopped, read back, checked, shown, and a share of them made again."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from tests.tracrcheck.calls import finished
from tests.tracrcheck.conftest import call, here  # noqa: F401
from tests.tracrcheck.invariants.breaks.methods import temperature_lost
from tracrcheck.rasp.library import Library
from tracrcheck.records.sources import reached
from tracrcheck.runs import recheck
from tracrcheck.runs.base import open_ledger
from tracrcheck.runs.invariants import (
    INVARIANT_RUNS,
    ROOTS,
    Campaign,
    Plan,
    SeedChecks,
    _given_up,
    checks,
)
from tracrcheck.runs.kinds import read_any

CHEAP = ("closed_forms", "legal_edges")
WORDS = [word for name in CHEAP for word in ("--only", name)] + ["--programs", "0"]


@pytest.fixture
def made(call, here):  # noqa: F811
    """Three seeds of two invariants on three models, in out.json."""
    finished(call("invariants", *WORDS, "--seeds", "3", "--first", "5", "--json", "out.json"), 0)
    return json.loads(Path("out.json").read_text())


def put(document, change=lambda found: None):
    found = copy.deepcopy(document)
    change(found)
    Path("out.json").write_text(json.dumps(found))


def test_what_is_written_says_how_it_was_made_and_has_no_problems(made):
    assert list(made) == ["schema", "run", "summary", "checks"]
    assert made["run"]["asked"] == {
        "invariants": sorted(CHEAP, reverse=True),
        "seeds": [5, 6, 7],
        "programs": 0,
    }
    assert made["run"]["finished"]
    assert made["summary"] == {"checks": 18, "broken": 0}
    assert INVARIANT_RUNS.problems(made) == []
    assert not Path("out.json.part").exists()


def first(found):
    return found["checks"][0]


FAULTS = {
    "file.run: not there": lambda f: f.pop("run"),
    "run.asked.seeds: not there": lambda f: f["run"]["asked"].pop("seeds"),
    "run.sources.packages: None": lambda f: f["run"]["sources"].update(packages=None),
    "checks[0].law: 1": lambda f: first(f).update(law=1),
    "checks[0].more: no such field": lambda f: first(f).update(more=1),
    "checks: one appears twice": lambda f: f["checks"].append(first(f)),
    "checks, seeds: not requested: 9": lambda f: first(f).update(seed=9),
    "checks, invariants: not requested: other": lambda f: first(f).update(invariant="other"),
    "checks, seeds: missing, though the run is finished: 6": lambda f: f.update(
        checks=[c for c in f["checks"] if c["seed"] != 6]
    ),
    "summary.broken: 0, but the rows come to 1": lambda f: first(f).update(violation="x"),
}


@pytest.mark.parametrize("message", FAULTS)
def test_every_fault_of_a_file_is_reported(made, message):
    FAULTS[message](made)
    assert any(line.startswith(message) for line in INVARIANT_RUNS.problems(made)), INVARIANT_RUNS.problems(
        made
    )


def test_a_faulty_file_is_refused(made, call):  # noqa: F811
    put(made, lambda found: found["summary"].update(checks=1))
    result = finished(call("recheck", "out.json"), 2)
    assert result.stderr.startswith(
        "TC143 out.json not a results file of the invariants\n    got     summary.checks: 1"
    )
    assert "`tracrcheck invariants --json FILE`" in result.stderr


# Several sittings --------------------------------------------------------------------------------------


def test_a_campaign_goes_on_where_it_was_stopped_and_comes_to_the_same(here):  # noqa: F811
    plan = Plan(invariants=CHEAP, seeds=(0, 1, 2), programs=0)
    header, out = plan.header("x"), here / "out.json"
    with open_ledger(out, header, resume=False) as ledger:
        going = Campaign(plan, header, ledger).go()
        for _ in range(9):  # one seed, and half of another
            next(going)
        going.close()
    with open_ledger(out, header, resume=True) as ledger:
        again = Campaign(plan, header, ledger)
        assert (again.resumed, again.left) == (1, 2)
        list(again.go())
        assert again.record()["sittings"] == 2
        again.written()
    whole = Campaign(plan, header)
    list(whole.go())
    assert [(c.invariant, c.subject, c.seed) for c in again.results().checks] == [
        (c.invariant, c.subject, c.seed) for c in whole.results().checks
    ]
    assert not Path(f"{out}.part").exists()


def test_another_campaign_is_not_resumed(made, call):  # noqa: F811
    plan = Plan(invariants=CHEAP, seeds=(0, 1), programs=0)
    with open_ledger(Path("out.json"), plan.header("x"), resume=False) as ledger:
        ledger.append({"seed": 0, "checks": []})
    result = finished(call("invariants", *WORDS, "--seeds", "3", "--json", "out.json", "--resume"), 2)
    assert result.stderr.startswith("TC141 ")
    assert "asked seeds: [0, 1] there, [0, 1, 2] now" in result.stderr


def test_a_finished_campaign_is_not_done_again_where_it_is_to_be_resumed(made, call, monkeypatch):  # noqa: F811
    words = ("invariants", *WORDS, "--seeds", "3", "--first", "5", "--json", "out.json", "--resume")
    before = Path("out.json").read_bytes()
    result = finished(call(*words), 0)
    assert result.stderr == "out.json is this run, finished: there is nothing to resume\n"
    assert Path("out.json").read_bytes() == before
    put(made, lambda f: (first(f).update(violation="x"), f["summary"].update(broken=1)))
    finished(call(*words), 1)


def test_stopped_at_a_law_that_is_broken_it_leaves_a_file_and_nothing_to_resume(call, here, monkeypatch):  # noqa: F811
    temperature_lost(monkeypatch)
    finished(call("invariants", *WORDS, "--seeds", "2", "--stop", "--json", "out.json"), 1)
    found = json.loads(Path("out.json").read_text())
    assert (found["run"]["finished"], found["summary"]["broken"]) == (False, 1)
    assert INVARIANT_RUNS.problems(found) == []
    assert not Path("out.json.part").exists()


def test_a_seed_whose_process_dies_every_time_counts_as_broken_and_the_file_says_why():
    plan = Plan(invariants=CHEAP, seeds=(0, 1), programs=0)
    run = Campaign(plan, plan.header("x"))
    for seed, done in ((0, checks(plan, 0)), _given_up(plan, 1, "the process died")):
        run.keep(SeedChecks(seed=seed, checks=tuple(done)))
    found = json.loads(json.dumps(run.results().document))
    assert INVARIANT_RUNS.problems(found) == []
    assert found["summary"] == {"checks": 8, "broken": 2}
    assert {c["violation"] for c in found["checks"] if c["seed"] == 1} == {"the process died"}


def test_what_checks_depend_on_are_all_invariants_and_every_method():
    names = {path.stem for path in reached(ROOTS)}
    assert {
        "batching",
        "symmetry",
        "subjects",
        "acdc",
        "eap",
        "eap_ig",
        "exact",
        "edge_pruning_score_function",
        "forward",
    } <= names
    assert "cli" not in names


# Made again --------------------------------------------------------------------------------------------


def test_checks_that_are_made_again_are_the_same(made, call):  # noqa: F811
    result = finished(call("recheck", "out.json", "--share", "1", "--seed", "5"), 0)
    assert result.stdout.splitlines() == [
        "out.json: 9 of 9 subjects run again, sample of seed 5",
        "18 the same, 0 different",
    ]


def test_a_violation_that_was_edited_away_is_found(made, call, monkeypatch):  # noqa: F811
    temperature_lost(monkeypatch)
    result = finished(call("recheck", "out.json", "--share", "1"), 1)
    assert (
        "DIFFERENT closed_forms on gpt2_5, seed 5: held in the file, broken (P(z = 0) at 0: got "
        in result.stdout
    )


def test_a_check_that_was_left_out_is_found(made, call):  # noqa: F811
    def fewer(found):
        found["checks"] = [
            c for c in found["checks"] if (c["invariant"], c["subject"]) != ("legal_edges", "gpt2_6")
        ]
        found["summary"]["checks"] = len(found["checks"])

    put(made, fewer)
    result = finished(call("recheck", "out.json", "--share", "1"), 1)
    assert "DIFFERENT legal_edges on gpt2_6, seed 6: absent in the file, held now" in result.stdout


def test_a_file_of_other_sources_is_stale(made, call):  # noqa: F811
    put(made, lambda found: found["run"]["sources"].update(packages="f" * 64))
    result = finished(call("recheck", "out.json"), 0)
    assert result.stdout.splitlines()[1].startswith("    packages: ffffffffffff there, ")


def test_a_file_of_these_sources_is_not_stale(made):
    found = read_any(Path("out.json"))
    assert found.run["sources"] == found.plan.sources()
    assert recheck.standing(found, Library.here()) == recheck.Standing()


def test_the_page_says_how_it_was_made_with_a_row_for_each_invariant_and_every_violation(made, call):  # noqa: F811
    def broken(found):
        first(found)["violation"] = "got 1 | wanted 2"
        found["summary"]["broken"] = 1

    put(made, broken)
    page = finished(call("report", "out.json"), 0).stdout
    lines = page.splitlines()
    assert "* 18 checks, 1 broken" in lines
    assert made["run"]["command"] in page
    (row,) = [line for line in lines if line.startswith("| legal_edges |")]
    assert row.startswith("| legal_edges | 9 | 1 | ")
    assert "    BROKEN legal_edges on gpt2_5, seed 5: got 1 | wanted 2" in lines
