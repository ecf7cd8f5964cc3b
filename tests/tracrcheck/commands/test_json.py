"""The JSON files: exactly the documented fields; pins that show every difference; files that are never half-written."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from edgeprune_core.atomic_write import write_whole
from edgeprune_core.errors import CheckError
from tracrcheck.rasp.library import shipped_folder
from tracrcheck.reports import files
from tracrcheck.truth import pins

METHODS = "tests.tracrcheck.pruners:"
DOCS = Path(__file__).parents[3] / "docs" / "json.md"

VERDICT = [
    "program",
    "ablation",
    "criterion",
    "method",
    "seed",
    "verdict",
    "reason",
    "missing",
    "extra",
    "n_required",
    "n_found",
    "found_sha",
    "vacuous",
    "seconds",
    "witness",
    "ranking",
    "judged",
    "selector",
    "sampled",
]
WITNESS = ["input", "corruption", "position", "want", "got"]
RANKING = ["precision", "recall", "f1", "auroc", "average_precision", "exact_threshold"]
TOP = ["schema", "run", "verdicts", "summary"]
RUN = ["command", "asked", "commit", "sources", "machine", "started", "sittings", "finished", "seconds"]
ASKED = [
    "programs", "method", "ablations", "criteria", "lengths", "score_bos", "seeds", "timeout", "judge", "select",
]  # fmt: skip
SOURCES = ["packages", "programs", "method"]
MACHINE = ["cpu", "cores", "memory_gib", "platform", "python", "torch", "numpy"]
SUMMARY = ["holds", "fails", "unknown", "vacuous", "seconds"]
CERTIFICATE = [
    "program",
    "ablation",
    "criterion",
    "lengths",
    "score_bos",
    "required",
    "permitted",
    "proved",
    "unknown",
    "other",
    "gap_below",
    "gap_above",
    "vacuous",
    "n_inputs",
    "n_pairs",
    "sampled",
    "word",
]


def test_the_gate_writes_the_documented_fields_and_types(call, here):
    call("gate", "hist", "--method", METHODS + "nothing_kept", "--ablation", "resample", "--json", "out.json")
    document = json.loads((here / "out.json").read_text())
    assert list(document) == TOP
    assert list(document["run"]) == RUN
    assert list(document["run"]["asked"]) == ASKED
    assert list(document["run"]["sources"]) == SOURCES
    assert list(document["run"]["machine"]) == MACHINE
    assert list(document["summary"]) == SUMMARY
    (verdict,) = document["verdicts"]
    assert list(verdict) == VERDICT
    assert list(verdict["witness"]) == WITNESS
    types = {
        "seed": int, "n_required": int, "n_found": int, "vacuous": bool, "seconds": float, "missing": list,
        "extra": list, "reason": str, "witness": dict,
    }  # fmt: skip
    assert {name: type(verdict[name]) for name in types} == types


def test_the_gate_writes_the_documented_fields_of_a_ranking(call, here):
    words = ["--ablation", "zero", "--json", "out.json"]
    call("gate", "hist", "--method", METHODS + "scores_all_but_one", *words)
    (verdict,) = json.loads((here / "out.json").read_text())["verdicts"]
    assert list(verdict["ranking"]) == RANKING
    assert verdict["ranking"]["exact_threshold"] is True
    call("gate", "hist", "--method", METHODS + "nothing_kept", *words)
    (verdict,) = json.loads((here / "out.json").read_text())["verdicts"]
    assert verdict["ranking"] is None


def test_certify_writes_the_documented_fields_and_types(call, here):
    call("certify", "hist", "reverse", "--ablation", "resample", "--lengths", "1-2", "--json", "out.json")
    document = json.loads((here / "out.json").read_text())
    assert list(document) == ["certificates"]
    assert [list(c) for c in document["certificates"]] == [CERTIFICATE, CERTIFICATE]
    first = document["certificates"][0]
    assert (first["lengths"], first["n_inputs"], first["n_pairs"], first["sampled"]) == ([1, 2], 12, 90, None)


def test_every_field_is_documented():
    documented = set(re.findall(r"`(\w+)`", DOCS.read_text()))
    gate = [*TOP, *RUN, *ASKED, *SOURCES, *MACHINE, *VERDICT, *WITNESS, *RANKING, *SUMMARY]
    for name in [*gate, *CERTIFICATE, "certificates"]:
        assert name in documented, name


def test_what_is_not_finite_is_null(tmp_path):
    files.write_json(tmp_path / "x.json", {"a": [float("inf"), float("nan"), 1.5]})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [None, None, 1.5]}


def test_a_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    path.write_text("before")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_written_to_and_not_replaced():
    files.check_writable(Path("/dev/null"))
    files.write_json(Path("/dev/null"), {})
    assert not Path("/dev/null").is_file()


# Pins --------------------------------------------------------------------------------------------------


@pytest.fixture
def pinned(call, write, here):
    """Two program files and their pins."""
    folder = write("flip").parent
    write("same", build="rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ))")
    result = call("certify", "--all", "--programs-dir", folder, "--write", "pins.json")
    assert result.exit_code == 0, result.output
    return lambda: call("certify", "--all", "--programs-dir", folder, "--check", "pins.json")


def test_pins_cover_every_program_ablation_and_criterion_and_check_out(pinned, here):
    record = json.loads((here / "pins.json").read_text())
    assert record["schema"] == "tracrcheck.pins/1"
    assert sorted(record["programs"]) == ["flip", "same"]
    settings = [f"{a} {c}" for a in ("mean", "resample", "zero") for c in ("decoded", "value")]
    assert sorted(record["programs"]["flip"]) == settings
    assert record["programs"]["flip"]["zero value"] == {
        "proved": ["sufficient", "minimal", "smallest", "unique"],
        "required": ["tok -> m0", "m0 -> out"],
    }
    result = pinned()
    assert (result.exit_code, result.stdout) == (0, "12 certificates, 0 differences\n")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"tok -> m0"', '"pos -> m0"', "flip, mean decoded: + tok -> m0"),
        ('"tok -> m0"', '"pos -> m0"', "flip, mean decoded: - pos -> m0"),
        ('     "smallest",\n', "", "flip, mean decoded: + proof of smallest"),
        ('"flip"', '"flop"', "flop: pinned, but there is no such program"),
        ('"mean decoded"', '"mean other"', "flip, mean other: pinned, but not certified"),
        ('"mean decoded"', '"mean other"', "flip, mean decoded: certified, but not pinned"),
    ],
)
def test_any_difference_from_the_pins_is_shown_and_ends_with_1(pinned, here, old, new, line):
    text = (here / "pins.json").read_text()
    assert old in text
    (here / "pins.json").write_text(text.replace(old, new, 1))
    result = pinned()
    assert result.exit_code == 1
    assert line in result.stdout.splitlines()


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"schema": "tracrcheck.pins/1", "programs": {"a": {"b": 1}}}']
)
def test_a_file_that_holds_no_pins_is_reported(tmp_path, text):
    path = tmp_path / "pins.json"
    path.write_text(text)
    with pytest.raises(CheckError) as caught:
        pins.read(path)
    assert str(caught.value).startswith(f"TC119 {path} not a pins file\n")


def test_some_programs_are_compared_with_their_own_pins_only(pinned, call, here):
    result = call("certify", here / "mine" / "flip.py", "--check", "pins.json")
    assert (result.exit_code, result.stdout) == (0, "6 certificates, 0 differences\n")


# The pins of the shipped programs ------------------------------------------------------------------------

PINNED = Path(__file__).parents[3] / "ci" / "certificates.json"
SOME = ("all_equal", "frac_prevs", "is_vowel", "xproportion")


def test_every_shipped_program_is_pinned_in_every_setting():
    found = pins.read(PINNED)
    assert set(found) == {path.stem for path in shipped_folder().glob("*.py")}
    assert {len(settings) for settings in found.values()} == {6}


def test_some_shipped_programs_have_the_pinned_truth(call):
    result = call("certify", *SOME, "--check", PINNED)
    assert (result.exit_code, result.stdout) == (0, "24 certificates, 0 differences\n")


def test_a_pinned_edge_that_is_edited_is_noticed(call, here):
    found = pins.read(PINNED)
    edges = found["xproportion"]["zero value"]["required"]
    edges[0] = "pos -> m0"
    (here / "pins.json").write_text(pins.dumps(found))
    result = call("certify", "xproportion", "--check", "pins.json")
    assert result.exit_code == 1
    assert "xproportion, zero value: - pos -> m0" in result.stdout


def test_the_page_of_programs_is_up_to_date(call):
    assert call("programs", "--pins", PINNED).stdout == (shipped_folder() / "README.md").read_text()


@pytest.mark.slow
def test_every_shipped_program_has_the_pinned_truth(call):
    result = call("certify", "--all", "--check", PINNED)
    assert result.exit_code == 0, result.stdout
