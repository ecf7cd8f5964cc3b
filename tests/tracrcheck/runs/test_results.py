"""Results files: every fault of a file is reported, committed files are sound, and a wrong verdict is found when it is made again."""

from __future__ import annotations

import copy
import json
import secrets
from pathlib import Path
from types import SimpleNamespace

import pytest

import ci.faults.suite  # noqa: F401 -- adds the battery of mutants-suite.json
from tests.tracrcheck.calls import finished
from tracrcheck.grading.verdict import Verdict
from tracrcheck.rasp.library import Library
from tracrcheck.records.machine import machine
from tracrcheck.records.reading import read
from tracrcheck.reports.render import terminal
from tracrcheck.reports.text import standing_lines
from tracrcheck.runs import recheck
from tracrcheck.runs.gate import GATE, Results
from tracrcheck.runs.kinds import read_any

METHODS = "tests.tracrcheck.pruners:"
COMMITTED = sorted((Path(__file__).parents[3] / "ci" / "results").glob("*.json"))


@pytest.fixture(scope="module")
def made(tmp_path_factory, cache):
    """A results document: two programs, two ablations, two seeds; seed 1 is wrong."""
    from typer.testing import CliRunner

    from tracrcheck.cli import app

    path = tmp_path_factory.mktemp("results") / "out.json"
    words = ["gate", "hist", "length", "--ablation", "zero,resample", "--seeds", "2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACRCHECK_CACHE", str(cache))
        CliRunner().invoke(app, [*words, "--method", METHODS + "only_for_even_seeds", "--json", str(path)])
    return json.loads(path.read_text())


@pytest.fixture
def put(made, here):
    """Writes the document, changed, as out.json."""

    def write(change=lambda found: None):
        found = copy.deepcopy(made)
        change(found)
        Path("out.json").write_text(json.dumps(found))
        return found

    return write


def first(found):
    return found["verdicts"][0]


FAULTS = {
    "schema: 'x', wanted 'tracrcheck.gate/1'": lambda f: f.update(schema="x"),
    "file.run: not there": lambda f: f.pop("run"),
    "file.more: no such field": lambda f: f.update(more=1),
    "run.commit: 7, wanted text or null": lambda f: f["run"].update(commit=7),
    "run.asked.seeds: not there": lambda f: f["run"]["asked"].pop("seeds"),
    "run.sources.packages: None, wanted text": lambda f: f["run"]["sources"].update(packages=None),
    "run.asked.seeds[0]: {}, wanted a whole number": lambda f: f["run"]["asked"]["seeds"].__setitem__(0, {}),
    "run.asked.programs[0]: ['x']": lambda f: f["run"]["asked"]["programs"].__setitem__(0, ["x"]),
    "run.sittings: True, wanted a whole number": lambda f: f["run"].update(sittings=True),
    "verdicts[0].found_sha: not there": lambda f: first(f).pop("found_sha"),
    "verdicts[0].seconds: '1', wanted a number": lambda f: first(f).update(seconds="1"),
    "verdicts[0]: 3, wanted an object": lambda f: f["verdicts"].__setitem__(0, 3),
    "verdicts[0].verdict: 'GOOD', wanted 'HOLDS' or 'FAILS' or 'UNKNOWN'": lambda f: first(f).update(
        verdict="GOOD"
    ),
    "verdicts[1].reason: 'raised' where it HOLDS": lambda f: f["verdicts"][1].update(verdict="HOLDS"),
    "verdicts[0]: it HOLDS, with differences": lambda f: first(f).update(n_found=99),
    "verdicts[1].n_found: 99, but with the missing and extra edges it is 0": lambda f: f["verdicts"][
        1
    ].update(n_found=99),
    f"verdicts[0].method: 'eap', but the run is of '{METHODS}": lambda f: first(f).update(method="eap"),
    "verdicts[0].seconds: -5.0, wanted at least 0": lambda f: first(f).update(seconds=-5.0),
    "verdicts: one appears twice": lambda f: f["verdicts"].append(first(f)),
    "verdicts: not requested: hist zero value 9": lambda f: first(f).update(seed=9),
    "verdicts: missing, though the run is finished: length resample value 1": lambda f: f["verdicts"].pop(),
    "summary.holds: 99, but the rows come to ": lambda f: f["summary"].update(holds=99),
}


def test_what_the_gate_writes_has_no_problems(made):
    assert GATE.problems(made) == []


@pytest.mark.parametrize("message", FAULTS)
def test_every_fault_of_a_results_file_is_reported(made, message):
    found = copy.deepcopy(made)
    FAULTS[message](found)
    assert any(line.startswith(message) for line in GATE.problems(found)), GATE.problems(found)


@pytest.mark.parametrize("text", ["", "[]", "{", "7", "[" * 100_000])
def test_what_is_not_a_results_file_is_refused(call, here, text):
    Path("out.json").write_text(text)
    for command in ("report", "recheck"):
        result = finished(call(command, "out.json"), 2)
        assert result.stderr.startswith("TC143 out.json not a results file of ")
        assert "\n    got     " in result.stderr


def test_a_file_that_is_not_there_is_refused(call, here):
    assert "got     No such file" in finished(call("report", "no.json"), 2).stderr


# Made again --------------------------------------------------------------------------------------------


def test_verdicts_that_are_made_again_are_the_same(call, put):
    put()
    result = finished(call("recheck", "out.json", "--share", "1", "--seed", "5"), 0)
    assert result.stdout.splitlines() == [
        "out.json: 8 of 8 verdicts run again, sample of seed 5",
        "8 the same, 0 different",
    ]


def test_an_edited_verdict_is_found_and_fails(call, put):
    """Right as it stands, and with sums that agree: only doing it again shows it."""

    def edited(found):
        row = next(v for v in found["verdicts"] if v["verdict"] == "HOLDS" and not v["vacuous"])
        row["found_sha"] = "0" * 16

    put(edited)
    result = finished(call("recheck", "out.json", "--share", "1"), 1)
    assert (
        "DIFFERENT hist, zero, value, seed 0: HOLDS with 6 of 6 edges (0000000000000000) in the file"
        in result.stdout
    )
    assert result.stdout.endswith("7 the same, 1 different\n")


def test_a_verdict_made_right_by_hand_is_found(call, put, made):
    def edited(found):
        good, bad = found["verdicts"][0], found["verdicts"][1]
        found["verdicts"][1] = {**good, "seed": bad["seed"]}
        found["summary"]["fails"] -= 1
        found["summary"]["holds"] += 1

    assert GATE.problems(put(edited)) == []
    assert (
        "DIFFERENT hist, zero, value, seed 1"
        in finished(call("recheck", "out.json", "--share", "1"), 1).stdout
    )


@pytest.mark.parametrize(
    ("part", "name", "value", "shown"),
    [
        ("ranking", "auroc", 0.123, "auroc 0.123"),
        ("witness", "position", 0, "position 0"),
        (None, "reason", "not_smallest", "reason not_smallest"),
    ],
)
def test_an_edited_figure_is_found_and_named(call, here, part, name, value, shown):
    """None of them says which edges were found, so nothing else differs."""
    words = ["hist", "--ablation", "zero", "--method", "eap", "--select", "top_n:2", "--json", "out.json"]
    finished(call("gate", *words), 1)
    document = json.loads(Path("out.json").read_text())
    row = first(document)
    (row if part is None else row[part])[name] = value
    Path("out.json").write_text(json.dumps(document))
    (line, *_) = finished(call("recheck", "out.json", "--share", "1"), 1).stdout.splitlines()[1:]
    there, _, now = line.partition(" in the file, ")
    assert line.startswith("DIFFERENT hist, zero, value, seed 0: FAILS with 2 of ")
    assert there.endswith(f", {shown}")
    assert f"{name} " in now
    assert shown not in now


def test_a_new_sample_is_drawn_each_time_and_its_seed_is_reported(call, put):
    put()
    seeds = {
        finished(call("recheck", "out.json", "--share", "0.3"), 0).stdout.splitlines()[0].split()[-1]
        for _ in range(2)
    }
    assert len(seeds) == 2


def test_a_sample_has_one_verdict_at_least_and_ends_where_the_work_gets_long(put, here):
    def slow(found):
        for row in found["verdicts"]:
            row["seconds"] = 15.0

    put(slow)
    found = read_any(Path("out.json"))
    assert len(recheck.sample(found.units, share=0.0001, seed=1)) == 1
    assert len(recheck.sample(found.units, share=0.5, seed=1, max_seconds=1e9)) == 4
    assert len(recheck.sample(found.units, share=1, seed=1)) == 2  # 30 s, where 40 are allowed
    assert recheck.sample(found.units, share=0.5, seed=1) == recheck.sample(found.units, share=0.5, seed=1)


@pytest.mark.parametrize("part", ["packages", "programs", "method"])
def test_a_file_of_other_sources_is_called_stale_and_nothing_else(call, put, part):
    put(lambda found: found["run"]["sources"].update({part: "f" * 64}))
    result = finished(call("recheck", "out.json", "--share", "1"), 0)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("STALE out.json: made from other sources (commit ")
    assert lines[1].startswith(f"    {part}: ffffffffffff there, ")
    assert "the same" not in result.stdout


def test_a_file_of_programs_that_are_not_here_is_unchecked(call, put):
    def renamed(found):
        found["run"]["asked"]["programs"] = ["gone", "length"]
        for row in found["verdicts"]:
            row["program"] = row["program"].replace("hist", "gone")

    put(renamed)
    lines = finished(call("recheck", "out.json"), 0).stdout.splitlines()
    assert lines[0] == "UNCHECKED out.json: made with what is not here; nothing of it was run again"
    assert lines[1].startswith("    no program 'gone'")


@pytest.mark.parametrize("cpu", [None, "another"])
@pytest.mark.parametrize(
    "change", [{"n_found": 9, "found_sha": "0" * 64}, {"n_required": 9}, {"vacuous": None}]
)
@pytest.mark.parametrize("held", [False, True])
def test_on_another_machine_a_verdict_that_failed_may_find_other_edges_and_nothing_else_may_differ(
    put, here, cpu, change, held
):
    """The verdict in the file is wrong, and the one that is computed again is right."""

    def faulty(found):
        row = next(row for row in found["verdicts"] if (row["verdict"] == "HOLDS") == held)
        row.update({name: not row["vacuous"] if value is None else value for name, value in change.items()})
        found["run"]["machine"]["cpu"] = cpu or found["run"]["machine"]["cpu"]
        found["verdicts"] = [row]

    document = put(faulty)
    verdict = read(Verdict, document["verdicts"][0], "", [], {"detail": ""})
    found = Results(path=Path("out.json"), run=document["run"], verdicts=(verdict,), summary={})
    (pair,) = recheck.again(found, found.units, Library.here())
    assert pair.same == (cpu == "another" and not held and "n_found" in change)


@pytest.mark.parametrize(
    ("part", "elsewhere"),
    [(None, False), ("cores", False), ("memory_gib", False), ("cpu", True), ("platform", True), ("torch", True), ("numpy", True)],
)  # fmt: skip
def test_one_part_of_a_machine_that_may_round_otherwise_makes_it_another(part, elsewhere, monkeypatch):
    made = machine() | ({} if part is None else {part: "another"})
    found = Results(path=Path("out.json"), run={"machine": made}, verdicts=(), summary={})
    kind = SimpleNamespace(again=lambda results, units, library: zip(units, units, strict=True))
    monkeypatch.setattr(recheck, "kind_of", lambda results: kind)
    assert [pair.elsewhere for pair in recheck.again(found, ["a", "b"], Library.here())] == [elsewhere] * 2


# Shown -------------------------------------------------------------------------------------------------


def test_a_report_says_how_it_was_made_and_has_a_row_for_each_program_and_ablation(call, put, made):
    put()
    finished(call("report", "out.json", "--md", "out.md"), 0)
    page = Path("out.md").read_text()
    assert page == finished(call("report", "out.json"), 0).stdout
    run = made["run"]
    for text in (
        run["command"],
        run["commit"] or "unknown",
        run["started"],
        run["machine"]["cpu"],
        run["machine"]["torch"],
    ):
        assert text in page
    lines = page.splitlines()
    assert "| ablation | exact | of | vacuous | median seconds | most |" in lines
    assert any(line.startswith("| zero | ") for line in lines)
    rows = [line for line in lines if line.startswith(("| hist |", "| length |"))]
    assert len(rows) == 4
    assert rows[0].startswith("| hist | zero | **FAILS** | 6 | 0-6 | 1 of 2 |  | ")
    assert rows[3].startswith("| length | resample | **FAILS** | 0 | 0 | 1 of 2 | vacuous | ")


def test_an_unfinished_run_is_reported_as_unfinished(call, put):
    put(lambda found: found["run"].update(finished=False))
    assert "NOT FINISHED" in finished(call("report", "out.json"), 0).stdout


# Committed ---------------------------------------------------------------------------------------------


def test_committed_files_are_sound_and_a_few_verdicts_are_made_again_where_they_are_current(capsys):
    """`make recheck` computes more of them again."""
    library = Library.here()
    for path in COMMITTED:
        found = read_any(path)
        with capsys.disabled():
            if lines := standing_lines(found, recheck.standing(found, library)):
                terminal.show("", *lines)
                continue
            seed = secrets.randbelow(2**31)
            terminal.show("", f"{path.name}: a sample of seed {seed} is made again")
        chosen = recheck.sample(found.units, share=recheck.SHARE, seed=seed, max_seconds=10.0)
        assert [pair for pair in recheck.again(found, chosen, library) if not pair.same] == []
