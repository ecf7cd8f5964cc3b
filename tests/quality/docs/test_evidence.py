"""The page of committed results says what the files say, and no file is large."""

from __future__ import annotations

import json
import shutil

import pytest

from ci import evidence

PAGE = evidence.ROOT / "docs" / "evidence.md"


def test_the_page_is_what_the_files_say():
    assert PAGE.read_text(encoding="utf-8") == evidence.page(), "python -m ci.evidence > docs/evidence.md"


def test_every_committed_result_has_a_row():
    rows = PAGE.read_text(encoding="utf-8").splitlines()[len(evidence.LEAD.splitlines()) :]
    found = {row.split(" | ")[0].strip("|` ").rpartition(".")[0] for row in rows}
    assert found == {
        str(path.relative_to(evidence.ROOT)).removesuffix(".json")
        for folder in (evidence.RESULTS, evidence.BENCHMARKS)
        for path in folder.glob("*.json")
    }


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("compare-ioi.json", lambda d: d["run"].update(seconds=7.0)),
        ("compare-ioi.json", lambda d: d["run"].update(commit="0" * 40)),
        ("compare-ioi.json", lambda d: d["run"]["machine"].update(cores=64)),
        ("compare-ioi.json", lambda d: d["run"].update(started="2031-01-01T00:00:00+00:00")),
        ("false-alarms.json", lambda d: (d["runs"][3].update(red="sort"), d["summary"].update(red=1))),
    ],
)
def test_a_file_that_changes_changes_the_page(name, change, tmp_path, monkeypatch):
    path = evidence.RESULTS / name
    document = json.loads(path.read_text())
    (tmp_path / "ci" / "results").mkdir(parents=True)
    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    monkeypatch.setattr(evidence, "RESULTS", tmp_path / "ci" / "results")
    monkeypatch.setattr(evidence, "BENCHMARKS", tmp_path)
    shutil.copy(path, evidence.RESULTS / name)
    before = list(evidence.rows())
    change(document)
    (evidence.RESULTS / name).write_text(json.dumps(document))
    assert before != list(evidence.rows())


def test_no_committed_result_is_over_a_megabyte():
    """Compact files are written by `tracrcheck report FILE --compact FILE`."""
    paths = [
        path
        for folder in (evidence.RESULTS, evidence.BENCHMARKS)
        for path in folder.rglob("*")
        if path.is_file()
    ]
    assert {str(path): size for path in paths if (size := path.stat().st_size) > 1_000_000} == {}
