"""Report files as commands write them: checked first, whole or not at all, the same from a run and from its results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.tracrcheck.calls import finished
from tracrcheck.reports import kinds, saved
from tracrcheck.runs.kinds import RUNS


@pytest.fixture
def here(tmp_path, monkeypatch, made) -> Path:
    """A folder with out.json of the gate in it."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(made / "out.json", tmp_path)
    return tmp_path


RESULTS = Path(__file__).parents[3] / "ci" / "results"
CERTIFY = ["certify", "hist", "--ablation", "zero"]


def test_the_page_of_a_saved_run_is_that_of_the_run_itself(call, here, made):
    finished(
        call(
            "report",
            "out.json",
            "--html",
            "again.html",
            "--junit",
            "again.xml",
            "--md",
            "again.md",
            "--short",
        ),
        0,
    )
    assert (here / "again.html").read_text() == (made / "out.html").read_text()
    assert (here / "again.xml").read_text() == (made / "out.xml").read_text()
    assert (here / "again.md").read_text() == (made / "out.md").read_text()


def test_without_a_file_markdown_is_printed_and_with_one_it_is_not(call, here):
    printed = finished(call("report", "out.json"), 0).stdout
    assert printed.startswith("# Gate: tests.tracrcheck.pruners:some_edges\n")
    assert finished(call("report", "out.json", "--short"), 0).stdout.startswith("### ✗ tracrcheck gate")
    result = finished(call("report", "out.json", "--html", "x.html"), 0)
    assert (result.stdout, result.stderr) == ("", "wrote x.html\n")


def test_a_program_that_is_gone_is_not_drawn_and_the_rest_is(call, here):
    found = json.loads((here / "out.json").read_text())
    for verdict in found["verdicts"]:
        verdict["program"] = verdict["program"].replace("reverse", "no_such_program")
    found["run"]["asked"]["programs"] = ["hist", "length", "no_such_program"]
    (here / "out.json").write_text(json.dumps(found))
    finished(call("report", "out.json", "--html", "x.html"), 0)
    text = (here / "x.html").read_text()
    assert "<li>no_such_program: TC101 no program &#39;no_such_program&#39;</li>" in text
    assert text.count("<svg") == 2


def test_results_of_other_sources_are_drawn_with_a_warning(call, here):
    found = json.loads((here / "out.json").read_text())
    found["run"]["sources"]["programs"] = "0" * 64
    (here / "out.json").write_text(json.dumps(found))
    finished(call("report", "out.json", "--html", "x.html"), 0)
    assert "The sources have changed since" in (here / "x.html").read_text()


def test_a_run_that_was_cut_short_says_so(call, here):
    found = json.loads((here / "out.json").read_text())
    found["run"]["finished"] = False
    (here / "out.json").write_text(json.dumps(found))
    finished(call("report", "out.json", "--html", "x.html", "--md", "x.md", "--short"), 0)
    assert "<b>Not finished. </b>" in (here / "x.html").read_text()
    assert "(NOT FINISHED)" in (here / "x.md").read_text().splitlines()[0]


def test_a_comparison_stands_on_the_page_and_in_the_comment(call, here, made):
    words = ["gate", "hist", "--ablation", "zero", "--method", "tests.tracrcheck.pruners:some_edges"]
    finished(call(*words, "--baseline", made / "out.json", "--html", "x.html", "--md", "x.md"), 1)
    assert "Not regressed from the baseline" in (here / "x.html").read_text()
    assert "**Not regressed from the baseline.**" in (here / "x.md").read_text()


def test_a_finished_run_that_is_resumed_writes_its_reports(call, here):
    words = ["gate", "hist", "--ablation", "zero", "--method", "tests.tracrcheck.pruners:knows_the_answer"]
    finished(call(*words, "--json", "a.json", "--html", "a.html"), 0)
    result = finished(call(*words, "--json", "a.json", "--html", "b.html", "--resume"), 0)
    assert "nothing to resume" in result.stderr
    assert (here / "b.html").read_text() == (here / "a.html").read_text()


def cases(path: Path) -> list[tuple]:
    """Suite, case and what went wrong, of each."""
    found = ElementTree.parse(path).getroot().iter("testcase")
    return [(c.get("classname"), c.get("name"), [(w.tag, w.get("type")) for w in c]) for c in found]


def test_certificates_are_the_same_page_when_saved(call, here):
    finished(call(*CERTIFY, "--html", "a.html", "--json", "a.json", "--md", "a.md", "--junit", "a.xml"), 0)
    saved = ["--html", "b.html", "--junit", "b.xml", "--md", "b.md", "--short"]
    finished(call("report", "a.json", *saved), 0)
    assert (here / "a.md").read_text().startswith((here / "b.md").read_text().strip())
    assert cases(here / "a.xml") == cases(here / "b.xml") == [("hist", "zero, value", [])]
    a, b = ((here / name).read_text().split('<section id="i-Environment">') for name in ("a.html", "b.html"))
    assert a[0] == b[0]
    assert "tracrcheck " in a[1]
    assert "The file does not say what it was made on." in b[1]


@pytest.mark.parametrize(
    "setting",
    [
        "--ablation resample --inputs 20",
        "--ablation zero --inputs 40",
        "--lengths 2-3",
        "--score-bos",
        "--criterion decoded",
    ],
)
def test_the_circuits_of_saved_certificates_are_those_of_their_setting(call, here, setting):
    finished(call("certify", "hist", *setting.split(), "--html", "a.html", "--json", "a.json"), 0)
    finished(call("report", "a.json", "--html", "b.html"), 0)
    a, b = (
        (here / name).read_text().split('<section id="i-Environment">')[0] for name in ("a.html", "b.html")
    )
    assert "<path" in a
    assert a == b


def test_a_circuit_of_a_trained_model_is_the_same_page_when_saved(call, here):
    words = [
        "--method",
        "tests.tracrcheck.trained_pruners:with_a_dangling_edge",
        "--prompts",
        "6",
        "--draws",
        "3",
    ]
    reports = ["--html", "a.html", "--md", "a.md", "--junit", "a.xml"]
    finished(call("discover", "--task", "ioi", *words, *reports, "--json", "a.json"), 0)
    finished(call("report", "a.json", "--html", "b.html", "--junit", "b.xml", "--md", "b.md", "--short"), 0)
    assert (here / "a.md").read_text().startswith((here / "b.md").read_text().strip())
    assert cases(here / "a.xml") == cases(here / "b.xml")
    assert cases(here / "a.xml") == [("ioi in english", f"{words[1]}, resample", [])]
    assert "tok -&gt; a1.h2.v" in (page := (here / "a.html").read_text())
    assert page == (here / "b.html").read_text()  # the command, commit and machine too: they are in the file
    made = json.loads((here / "a.json").read_text())["run"]
    assert made["command"] in page
    assert f"* commit {made['commit']}\n* begun {made['started']}\n* " in call("report", "a.json").stdout


WRONG = {
    "TC117 --html, --md two files of one name": [*CERTIFY[:2], "--html", "x"],
    "TC115 cannot write 'no/x.html'": [*CERTIFY, "--html", "no/x.html"],
    "TC143 bad.json not a results file of the seeded faults": ["report", "bad.json"],
    "TC117 --html an option for a campaign together with one for a single program": [
        "fuzz",
        "--number",
        "1",
        "--html",
        "x",
    ],
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_call_is_reported_before_any_work(call, here, message):
    (here / "c.json").write_text('{"certificates": []}')
    (here / "bad.json").write_text(
        '{"schema": "tracrcheck.mutants/1", "run": {}, "summary": {}, "mutants": [{}]}'
    )
    words = WRONG[message]
    if "two files" in message:
        words = ["gate", "hist", "--html", "x", "--md", "./x"]
    result = finished(call(*words), 2)
    assert result.stderr.startswith(message)
    assert not (here / "x").exists()


def test_a_page_appears_whole_or_not_at_all(call, here, monkeypatch):
    (here / "x.html").write_text("before")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    assert "TC115" in finished(call("report", "out.json", "--html", "x.html"), 2).stderr
    assert (here / "x.html").read_text() == "before"


def test_nothing_is_written_where_one_report_cannot_be_made(call, here, monkeypatch):
    monkeypatch.setattr("tracrcheck.reports.kinds.junit_of", lambda *_: 1 / 0)
    assert call("report", "out.json", "--html", "x.html", "--junit", "x.xml").exit_code != 0
    assert not (here / "x.html").exists()


@pytest.mark.parametrize("name", sorted(path.name for path in RESULTS.glob("*.json")))
def test_every_kind_of_results_has_every_form_of_report(call, here, name):
    words = ["report", RESULTS / name, "--junit", "x.xml", "--md", "x.md", "--short"]
    finished(call(*words), 0)
    assert cases(here / "x.xml")
    assert len((here / "x.md").read_text()) < 65_536
    assert (here / "x.md").read_text().startswith("### ")
    printed = finished(call("report", RESULTS / name), 0).stdout
    if name != "invariants.json":  # its page has the statements of the invariants as they are now
        assert printed == (RESULTS / name).with_suffix(".md").read_text()


def test_every_kind_of_results_has_its_row_in_the_table():
    runs = {kind.results for kind in RUNS.values()}
    assert set(kinds.REPORTS) == {*runs, saved.DiscoveryFile, saved.CertificatesFile, saved.OverlapFile}


FAULTS = {
    "tracrcheck.mutants/1": [
        ("mutants[0].status: 'lost'", lambda d: d["mutants"][0].update(status="lost")),
        ("mutants[0].blind: not there", lambda d: d["mutants"][0].pop("blind")),
        ("summary.blind: [], but the rows come to {", lambda d: d["summary"].update(blind=[])),
        ("run.machine: not there", lambda d: d["run"].pop("machine")),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("message", "change"), FAULTS["tracrcheck.mutants/1"], ids=lambda x: x if isinstance(x, str) else ""
)
def test_a_file_of_seeded_faults_that_is_not_sound_is_refused(call, here, message, change):
    run = json.loads((here / "out.json").read_text())["run"]
    run["asked"] = {
        "mutants": ["a"],
        "by": "gauntlet",
        "programs": [],
        "ablations": [],
        "method": "m",
        "seed": 0,
    }
    counts = {"killed": 1, "survived": 0, "error": 0, "total": 1}
    row = {"name": "a", "why": "b", "status": "killed", "killed_by": "c: d", "seconds": 1.0, "blind": False}
    document = {
        "schema": "tracrcheck.mutants/1", "run": run, "mutants": [row],
        "summary": {**counts, "seconds": 1.0, "blind": dict.fromkeys(counts, 0)},
    }  # fmt: skip
    (here / "m.json").write_text(json.dumps(document))
    finished(call("report", "m.json", "--html", "m.html"), 0)
    change(document)
    (here / "m.json").write_text(json.dumps(document))
    assert message in finished(call("report", "m.json"), 2).stderr
