"""Results files of fuzzing: every fault of a file is reported, a wrong row is found when it is made again, and the page shows it all."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.tracrcheck.calls import finished
from tests.tracrcheck.runs.test_fuzz import RIGHT
from tracrcheck.runs import recheck
from tracrcheck.runs.fuzz import FUZZ
from tracrcheck.runs.fuzz_score import Share
from tracrcheck.runs.kinds import read_any

FORGETS = "tests.tracrcheck.runs.pruners:forgets_positions"


@pytest.fixture(scope="module")
def made(tmp_path_factory, cache):
    """Text of a results file: three programs in two ablations; some rows are wrong."""
    from typer.testing import CliRunner

    from tracrcheck.cli import app

    path = tmp_path_factory.mktemp("results") / "out.json"
    words = ["fuzz", "--programs", "3", "--seed", "5", "--ablation", "zero,resample", "--method", FORGETS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACRCHECK_CACHE", str(cache))
        CliRunner().invoke(app, [*words, "--json", str(path)])
    return path.read_text()


@pytest.fixture
def put(made, here):
    """Writes the document, changed, as out.json."""

    def write(change=lambda found: None):
        found = json.loads(made)
        change(found)
        Path("out.json").write_text(json.dumps(found))
        return found

    return write


def test_the_fixture_has_rows_that_hold_and_rows_that_fail_and_a_vacuous_one(made):
    rows = json.loads(made)["rows"]
    assert {row["verdict"] for row in rows} == {"HOLDS", "FAILS"}
    assert any(row["vacuous"] for row in rows)


def test_what_fuzzing_writes_has_no_problems_and_a_line_for_each_program_and_row(made):
    document = json.loads(made)
    assert FUZZ.problems(document) == []
    lines = made.splitlines()
    for item in (*document["programs"], *document["rows"]):
        assert lines.count(f"    {json.dumps(item)},") + lines.count(f"    {json.dumps(item)}") == 1


def test_a_file_of_1500_rows_that_hold_stays_under_a_megabyte(made):
    document = json.loads(made)
    row = max(len(json.dumps(row)) + 6 for row in document["rows"] if row["verdict"] == "HOLDS")
    program = max(len(json.dumps(program)) + 6 for program in document["programs"])
    assert 1500 * row + 500 * program < 1_000_000


FAULTS = {
    "file.run: not there": lambda f: f.pop("run"),
    "run.asked.seed: '5'": lambda f: f["run"]["asked"].update(seed="5"),
    "run.asked.lengths: no such field": lambda f: f["run"]["asked"].update(lengths=None),
    "run.sources.packages: None": lambda f: f["run"]["sources"].update(packages=None),
    "programs[0].n_layers: True": lambda f: f["programs"][0].update(n_layers=True),
    "rows[0].found_sha: not there": lambda f: f["rows"][0].pop("found_sha"),
    "rows[0].trivial.random: not there": lambda f: f["rows"][0]["trivial"].pop("random"),
    "rows[0].verdict: 'GOOD'": lambda f: f["rows"][0].update(verdict="GOOD"),
    "programs: not in the order of their draws, each once": lambda f: f["programs"].reverse(),
    "rows: not one for each program and setting": lambda f: f["rows"].append(f["rows"][0]),
    "programs: 3 of 4, though the run is finished": lambda f: f["run"]["asked"].update(programs=4),
    "summary.drawn: 9, but": lambda f: f["summary"].update(drawn=9),
    "summary.overall: ": lambda f: f["summary"]["overall"].update(exact=99),
    "summary.ablations: ": lambda f: f["summary"]["ablations"]["zero"].update(low=0.99),
    "summary.unknown: 1, but the rows come to 0": lambda f: f["summary"].update(unknown=1),
    "summary.composition: ": lambda f: f["programs"][0].update(n_layers=9),
}


def test_a_row_that_is_not_there_is_reported(made):
    found = json.loads(made)
    found["rows"].pop()
    assert "rows: not one for each program and setting" in FUZZ.problems(found)


@pytest.mark.parametrize("message", FAULTS)
def test_every_fault_of_a_results_file_of_fuzzing_is_reported(made, message):
    found = json.loads(made)
    before = copy.deepcopy(found)
    FAULTS[message](found)
    assert found != before
    assert any(line.startswith(message) for line in FUZZ.problems(found)), FUZZ.problems(found)


def test_a_file_with_faults_is_refused(call, put):
    put(FAULTS["rows[0].verdict: 'GOOD'"])
    for command in ("report", "recheck"):
        message = finished(call(command, "out.json"), 2).stderr
        assert message.startswith(
            "TC143 out.json not a results file of fuzzing\n    got     rows[0].verdict: "
        )
        assert "`tracrcheck fuzz --json FILE`" in message


def test_a_file_of_fuzzing_is_no_baseline_of_the_gate(call, put):
    put()
    words = ["gate", "hist", "--ablation", "zero", "--method", RIGHT]
    assert (
        "TC143 out.json not a results file of the gate"
        in finished(call(*words, "--baseline", "out.json"), 2).stderr
    )


# Made again --------------------------------------------------------------------------------------------


def test_programs_that_are_examined_again_have_the_same_rows(call, put):
    put()
    result = finished(call("recheck", "out.json", "--share", "1", "--seed", "7"), 0)
    assert result.stdout.splitlines() == [
        "out.json: 3 of 3 programs run again, sample of seed 7",
        "6 the same, 0 different",
    ]


def holding(found):
    return next(row for row in found["rows"] if row["verdict"] == "HOLDS" and not row["vacuous"])


EDITS = {
    "found_sha": lambda f: holding(f).update(found_sha="0" * 16),
    "n_permitted": lambda f: holding(f).update(n_permitted=99),
    "proved": lambda f: holding(f).update(proved=["sufficient"]),
    "n_heads": lambda f: f["programs"][0].update(n_heads=9),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_that_leaves_the_sums_right_is_found(call, put, name):
    assert FUZZ.problems(put(EDITS[name])) == []
    result = finished(call("recheck", "out.json", "--share", "1"), 1)
    assert "DIFFERENT drawn_5_" in result.stdout
    assert name == "found_sha" or f", {name} " in result.stdout


def test_a_share_of_the_programs_is_chosen_and_no_more_than_the_seconds_allow(put):
    def slow(found):
        for row in found["rows"]:
            row.update(seconds=10.0, certify_seconds=5.0)

    put(slow)
    units = read_any(Path("out.json")).units
    assert [len(recheck.sample(units, share=share, seed=1, max_seconds=1e9)) for share in (0.02, 0.6)] == [
        1,
        2,
    ]
    assert len(recheck.sample(units, share=1, seed=1, max_seconds=60)) == 2  # 30 s each


@pytest.mark.parametrize("part", ["packages", "method"])
def test_a_file_of_another_generator_or_method_is_called_stale_and_nothing_else(call, put, part):
    put(lambda found: found["run"]["sources"].update({part: "f" * 64}))
    lines = finished(call("recheck", "out.json", "--share", "1"), 0).stdout.splitlines()
    assert lines[0].startswith("STALE out.json: made from other sources (commit ")
    assert lines[1].startswith(f"    {part}: ffffffffffff there, ")
    assert len(lines) == 2


def test_a_program_of_a_rejected_draw_in_a_file_is_refused(call, put):
    def another(found):
        found["run"]["asked"]["seed"] = 20261123
        numbers = {program["number"]: new for program, new in zip(found["programs"], (3, 4, 5), strict=True)}
        for item in (*found["programs"], *found["rows"]):
            item["number"] = numbers[item["number"]]

    put(another)
    assert "TC153 --number 5 " in finished(call("recheck", "out.json", "--share", "1"), 2).stderr


# Shown -------------------------------------------------------------------------------------------------


def test_the_page_shows_shares_composition_rejections_and_every_failure_with_its_cause(call, put):
    document = put()
    finished(call("report", "out.json", "--md", "out.md"), 0)
    page = Path("out.md").read_text()
    assert page == finished(call("report", "out.json"), 0).stdout
    run, summary = document["run"], document["summary"]
    for text in (run["command"], run["started"], run["machine"]["torch"], "programs drawn from seed 5"):
        assert text in page
    lines = page.splitlines()
    for name, share in {"overall": summary["overall"], **summary["ablations"]}.items():
        (row,) = [line for line in lines if line.startswith(f"| {name} |")]
        assert row.startswith(f"| {name} | {share['exact']} | {share['counted']} | ")
        assert f" | {share['low']:.2%} | {share['high']:.2%} | " in row
    assert "* **the bar is not reached**" in lines
    assert "## Below the bar" in lines
    assert f"* 2 or more layers: {summary['composition']['two_layers']:.1%} (at least 50%)" in lines
    layers = ", ".join(f"{n}: {count}" for n, count in summary["composition"]["layers"].items())
    assert f"* layers: {layers}" in lines
    assert f"* draws: {summary['drawn']} drawn, 0 rejected" in lines
    failing = [row for row in document["rows"] if row["verdict"] != "HOLDS" and not row["vacuous"]]
    assert f"## {len(failing)} not exact" in lines
    for row in failing:
        number, ablation = row["number"], row["ablation"]
        headline = f"    FAILS drawn_5_{number}, {ablation}, value, {FORGETS}, seed {number}: {row['reason']}"
        assert lines.count(headline) == 1
        replay = f"tracrcheck fuzz --seed 5 --number {number} --ablation {ablation} --method {FORGETS}"
        assert lines.count(f"        replay  {replay}") == 1


def test_the_page_counts_narrow_settings_and_gives_the_share_of_the_others(call, put):
    def near(found):
        first, *rest = [row for row in found["rows"] if row["ablation"] == "zero" and not row["vacuous"]]
        first.update(
            verdict="UNKNOWN", reason="sufficient is not proved: a narrow gap: 1e-12 to 0.06 around 0.01"
        )
        for row in rest:
            row.update(
                verdict="HOLDS", reason=None, missing=[], extra=[], witness=None, n_found=row["n_required"]
            )

        summary, exact = found["summary"], len(rest)
        old = summary["ablations"]["zero"]
        summary["unknown"] += 1
        summary["ablations"]["zero"] = asdict(Share.of(exact, old["counted"]))
        whole = summary["overall"]
        summary["overall"] = asdict(Share.of(whole["exact"] - old["exact"] + exact, whole["counted"]))

    document = put(near)
    n = sum(row["ablation"] == "zero" and not row["vacuous"] for row in document["rows"])
    page = finished(call("report", "out.json"), 0).stdout
    (line,) = [line for line in page.splitlines() if line.startswith("| zero |")]
    assert n > 1
    assert line.startswith(f"| zero | {n - 1} | {n} | ")
    assert " | 1 | 100.00% | 1 | " in line  # narrow, share of the others, unknown


def test_an_unfinished_campaign_is_shown_as_unfinished(call, put):
    put(lambda found: found["run"].update(finished=False))
    assert "NOT FINISHED" in finished(call("report", "out.json"), 0).stdout


def test_a_failure_where_the_output_cannot_change_is_not_listed(call, put):
    def wrong(found):
        row = next(row for row in found["rows"] if row["vacuous"])
        row.update(verdict="FAILS", reason="not_smallest", extra=["tok -> out"], n_found=1)

    document = put(wrong)
    failing = [row for row in document["rows"] if row["verdict"] != "HOLDS"]
    page = finished(call("report", "out.json"), 0).stdout
    assert f"## {len(failing) - 1} not exact" in page


def test_results_of_fuzzing_are_compared_with_nothing(call, put):
    put()
    result = finished(call("report", "out.json", "--baseline", "out.json"), 2)
    assert result.stderr.startswith("TC117 --baseline only results of the gate can be a baseline\n")
