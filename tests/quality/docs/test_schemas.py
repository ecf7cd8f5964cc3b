"""The JSON Schemas: every file that is committed or written fits its own, and fields are documented."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from typer.testing import CliRunner

from tracrcheck import doctor
from tracrcheck.cli import app
from tracrcheck.records.journal import Ledger
from tracrcheck.runs import compare as comparing
from tracrcheck.trained import pareto

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "schemas"
SCHEMAS = {
    path.name.removesuffix(".schema.json"): json.loads(path.read_text()) for path in FOLDER.glob("*.json")
}
REGISTRY = Registry().with_resources(
    (f"{name}.schema.json", Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)
PAGE = (ROOT / "docs" / "json.md").read_text()

RESULTS = sorted((ROOT / "ci" / "results").glob("*.json"))


def validator(name: str) -> Draft202012Validator:
    schema = {**SCHEMAS[name], "$id": f"{name}.schema.json"}
    return Draft202012Validator(schema, registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER)


def complaint(name: str, document: Any) -> str | None:
    wrong = best_match(validator(name).iter_errors(document))
    return wrong and f"{wrong.json_path}: {wrong.message[:300]}"


def loaded(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def thinned(document: dict[str, Any]) -> dict[str, Any]:
    """Cuts long lists to every seventh item and all that do not hold. Their items have one shape, and validating all takes seconds."""
    few = dict(document)
    for name in ("verdicts", "rows", "programs"):
        if len(few.get(name, ())) > 100:
            few[name] = [
                x for i, x in enumerate(few[name]) if i % 7 == 0 or x.get("verdict") not in (None, "HOLDS")
            ]
    return few


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name):
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["title"]
    assert SCHEMAS[name]["description"]


# Files that are committed ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: p.name)
def test_committed_results_fit(path):
    document = loaded(path)
    assert complaint(document["schema"].split(".")[1].split("/")[0], thinned(document)) is None


def test_the_pins_of_all_programs_fit():
    assert complaint("pins", loaded(ROOT / "ci" / "certificates.json")) is None


def test_programs_kept_for_replay_fit():
    kept = [loaded(path) for path in sorted((ROOT / "tests" / "regressions").glob("*.json"))]
    assert kept
    assert [message for document in kept if (message := complaint("regression", document))] == []


def test_the_figures_of_the_shipped_subject_fit():
    assert (
        complaint("subject", loaded(ROOT / "edgeprune_core" / "trained_models" / "english" / "figures.json"))
        is None
    )


# Files that are written --------------------------------------------------------------------------------

OURS = "tests.tracrcheck.pruners:"
FEW = ["--prompts", "4", "--draws", "2"]
WRITTEN = {
    "gate": ["gate", "hist", "--method", OURS + "nothing_kept", "--json", "out.json"],
    "certificates": ["certify", "hist", "--json", "out.json"],
    "fuzz": ["fuzz", "--programs", "1", "--seed", "3", "--method", "random", "--json", "out.json"],
    "invariants": ["invariants", "--only", "legal_edges", "--json", "out.json"],
    "compare": [
        "compare",
        "--task",
        "ioi",
        "--methods",
        "random",
        "--seeds",
        "1",
        "--prompts",
        "4",
        "--json",
        "out.json",
    ],
    "plan": ["plan", "--model", "gpt2", "--batch", "4", "--seq", "8", "--memory", "80", "--json", "out.json"],
    "tasks": ["tasks", "ioi", "capital", "--prompts", "4", "--json", "out.json"],
    "discovery": ["discover", "--task", "ioi", "--method", "random", *FEW, "--json", "out.json"],
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_command_writes_fits(name, page, monkeypatch):
    monkeypatch.setattr(comparing, "curve_elsewhere", pareto.curve)  # in this process
    done = CliRunner().invoke(app, WRITTEN[name])
    assert done.exit_code in (0, 1), done.output
    document = loaded(Path("out.json"))
    assert complaint(name, document) is None
    if name == "discovery":
        assert complaint("circuit", document["circuit"]) is None
        Path("c.json").write_text(json.dumps(document["circuit"]))
        done = CliRunner().invoke(app, ["faithfulness", "c.json", "--task", "ioi", *FEW, "--json", "f.json"])
        assert done.exit_code == 0, done.output
        assert complaint("faithfulness", loaded(Path("f.json"))) is None
        words = [
            "overlap",
            "c.json",
            "c.json",
            "--task-a",
            "ioi",
            "--task-b",
            "ioi",
            *FEW,
            "--json",
            "o.json",
        ]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        assert complaint("overlap", loaded(Path("o.json"))) is None
    if name == "certificates":
        required = document["certificates"][0]["required"]
        Path("edges.json").write_text(json.dumps(required))
        words = ["grade", "edges.json", "--program", "hist", "--ablation", "zero", "--json", "g.json"]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        assert complaint("judged", loaded(Path("g.json"))) is None


def test_the_lines_of_an_unfinished_run_fit(tmp_path):
    header = {"command": "tracrcheck gate", "asked": {}, "sources": {}}
    ledger = Ledger.open(tmp_path / "x.part", header, resume=False, agree=())
    ledger.append({"verdict": "HOLDS"})
    ledger.close()
    lines = [json.loads(line) for line in (tmp_path / "x.part").read_text().splitlines()]
    assert len(lines) == 2
    assert [complaint("ledger", line) for line in lines] == [None, None]
    assert complaint("ledger", {"row": {}}) is not None


def test_what_doctor_writes_fits():
    parts = tuple(replace(part, status="missing", detail="not installed") for part in doctor.parts())
    report = doctor.Report(
        parts=parts, devices=(), cache="c", cache_writable=False, programs=0, works=False, why="no"
    )
    assert complaint("doctor", report.document()) is None


@pytest.mark.parametrize(
    ("changed", "fits"),
    [
        ({}, True),
        ({"killed_by": None, "status": "survived"}, True),
        ({"status": "dead"}, False),
        ({"file": "x"}, False),
    ],
)
def test_rows_of_seeded_faults_fit(changed, fits):
    row = {
        "name": "x",
        "why": "y",
        "status": "killed",
        "killed_by": "all_kept: z",
        "seconds": 1.5,
        "blind": False,
    }
    assert (
        Draft202012Validator(SCHEMAS["mutants"]["properties"]["mutants"]["items"]).is_valid(row | changed)
        == fits
    )


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ({"clean": "a", "corrupted": "b", "answer": " c", "more": 1}, True),
        ({"clean": "a", "corrupted": "b", "answer": [" c", " d"], "foil": " e"}, True),
        ({"clean": "a", "corrupted": "b"}, False),
        ({"clean": "a", "corrupted": "b", "answer": []}, False),
    ],
)
def test_lines_of_task_files_fit(line, fits):
    assert (complaint("pair", line) is None) == fits


# Files that are wrong ----------------------------------------------------------------------------------


def changed(path: list[Any], value: Any) -> dict[str, Any]:
    document = deepcopy(thinned(loaded(ROOT / "ci" / "results" / "gate-pathwise.json")))
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["schema"], "tracrcheck.gate/2"),
        (["summary", "holds"], -1),
        (["run", "commit"], "HEAD"),
        (["run", "asked", "seeds"], None),
        (["run", "asked", "colour"], "red"),
        (["run", "machine", "torch"], 2),
        (["verdicts", 0, "verdict"], "holds"),
        (["verdicts", 0, "seed"], None),
        (["verdicts", 0, "reason"], "unfaithful"),
        (["verdicts", 0, "missing"], ["tok -> out"]),
        (["verdicts", 0, "surprise"], 1),
    ],
)
def test_a_file_of_another_shape_does_not_fit(path, value):
    assert complaint("gate", changed(path, value)) is not None


# The page ----------------------------------------------------------------------------------------------


def fields(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {name for part in schema for name in fields(part)}
    if not isinstance(schema, dict):
        return set()
    own = set(schema.get("properties", {})) if isinstance(schema.get("properties"), dict) else set()
    return own | {name for part in schema.values() for name in fields(part)}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_of_a_schema_is_documented(name):
    known = set(re.findall(r"`([\w.]+)`", PAGE))
    assert fields(SCHEMAS[name]) - known == set()


NO_JSON = {"checkpoint"}  # safetensors, with a header
WITHOUT = {"judged", "certificates", "pair", "common"}  # files without a `schema` of their own


def test_every_schema_that_the_page_names_is_there_and_the_other_way_round():
    named = set(re.findall(r"`(?:tracrcheck|edgeprune_core)\.(\w+)/\d+`", PAGE)) - NO_JSON
    assert named | WITHOUT == set(SCHEMAS)
    assert not named & WITHOUT
