"""Several methods on the same programs: one run, which a time limit ends and a second call finishes; its table."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from ci import peers as script
from tracrcheck.cli import app
from tracrcheck.grading.verdict import Verdict
from tracrcheck.rasp.library import Library
from tracrcheck.reports import peers as report
from tracrcheck.reports.kinds import page_of
from tracrcheck.runs import peers, recheck
from tracrcheck.runs.kinds import read_any

PRUNERS = "tests.tracrcheck.pruners:"


@pytest.fixture
def few(here, monkeypatch):
    """Two programs and two methods, and no tool of others."""
    monkeypatch.setattr(script, "tools", dict)
    monkeypatch.setattr(peers, "tools", dict)
    monkeypatch.setattr(
        script, "TRIED", {"": {"exact": ["zero"], PRUNERS + "nothing_kept": ["zero", "resample"]}}
    )
    monkeypatch.setattr(script, "share", lambda names, n: ["hist", "copy_tokens"])
    monkeypatch.setattr(script, "OWN_CIRCUIT", [PRUNERS + "nothing_kept"])


def run(*words: str):
    done = CliRunner().invoke(script.app, [*words, "--json", "peers.json"])
    assert "Traceback" not in done.output
    return done


def test_a_run_that_time_ends_is_resumed_and_has_every_method_on_every_program(few):
    stopped = run("--minutes", "0")
    assert stopped.exit_code == 1
    assert "6 of 6 verdicts are missing" in stopped.output
    assert "exact, zero: 2 of 2 programs" in stopped.output
    first = run("--resume")
    assert first.exit_code == 0
    document = json.loads(Path("peers.json").read_text())
    assert document["run"]["finished"]
    assert [(v["method"], v["ablation"], v["program"]) for v in document["verdicts"]] == [
        (method, ablation, program)
        for method, ablation in (
            ("exact", "zero"),
            (PRUNERS + "nothing_kept", "zero"),
            (PRUNERS + "nothing_kept", "resample"),
        )
        for program in ("hist", "copy_tokens")
    ]
    by = {v["method"]: v for v in document["verdicts"] if (v["program"], v["ablation"]) == ("hist", "zero")}
    assert (by["exact"]["verdict"], by["exact"]["selector"]) == ("HOLDS", "fewest_within_tolerance")
    assert (by[PRUNERS + "nothing_kept"]["reason"], by[PRUNERS + "nothing_kept"]["selector"]) == (
        "unfaithful",
        None,
    )
    assert "nothing to resume" in run("--resume").output


def test_its_file_is_shown_and_rechecked(few):
    run()
    found = read_any(Path("peers.json"))
    shown = CliRunner().invoke(app, ["report", "peers.json"])
    assert (shown.exit_code, shown.stdout) == (0, page_of(found)), shown.output
    page = page_of(found)
    assert "2 of 91 programs, drawn at random: hist, copy_tokens" in page.replace(
        str(found.run["asked"]["n_programs"]), "91"
    )
    assert "from those with at most" not in page
    assert "| <code>exact</code> | zero | 2 of 2 | 2 of 2 | 1.000 |" in page
    assert (
        "| <code>tests.tracrcheck.pruners:nothing_kept</code> | zero | 0 of 2 | - | - | 2 unfaithful |"
        in page
    )
    assert recheck.standing(found, Library.here()) == recheck.Standing()
    pairs = list(recheck.again(found, found.units[:2], Library.here()))
    assert [pair.same for pair in pairs] == [True, True]
    found.run["asked"]["tools"]["eap"] = "2.0.0"
    assert recheck.standing(found, Library.here()).lacks == ("eap 2.0.0 then, not installed now",)


def test_a_share_can_be_drawn_from_programs_with_few_inputs(few, monkeypatch):
    drawn = []
    monkeypatch.setattr(script, "share", lambda names, n: drawn.append(names) or ["hist"])
    run("--most-inputs", "120", "--minutes", "0")
    n = len(Library.here().all())
    words = f"1 of {n} programs, drawn at random from those with at most 120 inputs: hist."
    assert words in page_of(read_any(Path("peers.json")))
    assert "negate_bit" in drawn[0]
    assert "parity16" not in drawn[0]


def test_a_row_that_was_not_asked_for_is_a_problem(few):
    run()
    document = json.loads(Path("peers.json").read_text())
    document["verdicts"].pop()
    document["summary"]["fails"] -= 1
    assert peers.PEERS.problems(document) == [
        f"verdicts: missing, though the run is finished: {PRUNERS}nothing_kept resample copy_tokens"
    ]


def test_vacuous_settings_are_in_no_share_and_reasons_are_counted():
    def verdict(word, reason=None, **rest):
        return Verdict(
            program="p", ablation="zero", criterion="value", method="m", seed=0, verdict=word, reason=reason, n_required=1,
            n_found=1, **rest,
        )  # fmt: skip

    rows = [
        verdict("HOLDS"),
        verdict("HOLDS", vacuous=True),
        verdict("FAILS", "timeout"),
        verdict("UNKNOWN", "so"),
    ]
    (row,) = report._table(rows).rows
    assert [getattr(cell, "text", cell) for cell in row][:6] == [
        "m",
        "zero",
        "1 of 3",
        "-",
        "-",
        "1 timeout, 1 unknown",
    ]


def test_a_larger_share_holds_a_smaller_one():
    names = [str(n) for n in range(50)]
    assert set(script.share(names, 10)) < set(script.share(names[::-1], 20)) < set(names)
    assert script.share(names, None) == sorted(names)


def test_the_version_of_a_tool_has_the_commit_it_was_installed_from(monkeypatch):
    def distribution(name):
        if name == "auto-circuit":
            raise PackageNotFoundError(name)
        origin = json.dumps({"vcs_info": {"commit_id": "795f560" + 33 * "0"}}) if name == "eap" else None
        return SimpleNamespace(version="2.0.0", read_text=lambda file: origin)

    monkeypatch.setattr(peers, "distribution", distribution)
    assert peers.tools() == {"eap": "2.0.0 at 795f560", "transformer-lens": "2.0.0"}
