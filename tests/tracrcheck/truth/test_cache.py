"""The cache of certificates: what is read is what was written, and nothing that is broken is read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgeprune_core.weights import Model
from tracrcheck.compiler.compile import compile_program
from tracrcheck.rasp.library import Library
from tracrcheck.records.sources import reached
from tracrcheck.truth import cache
from tracrcheck.truth.search import Limits
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

NAMES = ("reverse", "either_of_two_heads")


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACRCHECK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "certificates"


@pytest.fixture
def counted(monkeypatch):
    """How often a certificate was computed."""
    calls = []
    real = cache.certify
    monkeypatch.setattr(cache, "certify", lambda *a, **k: calls.append(1) or real(*a, **k))
    return calls


def _louder(model):
    return Model(model.spec, replace(model.weights, unembed=model.weights.unembed * 2))


def program(name):
    return compile_program(Library.here().load(name).program)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_is_what_was_written(empty, counted, name):
    compiled = program(name)
    setting = Setting(lengths=(1, 2))
    first = cache.certificate_of(compiled, setting)
    second = cache.certificate_of(compiled, setting)
    assert second == first
    assert counted == [1]
    if name == "either_of_two_heads":
        assert first.other is not None


DAMAGES = {
    "proof taken away": {"proved": ["sufficient", "minimal"]},
    "another size of the list": {"n_items": 7, "n_inputs": 7},
    "another gap": {"gap_above": 0.5},
}


@pytest.mark.parametrize(
    "damage", ["half", "empty", "other schema", "edge taken away", "not an object", *DAMAGES]
)
def test_a_broken_entry_is_computed_again_and_mended(empty, counted, damage):
    compiled, setting = program("hist"), Setting()
    first = cache.certificate_of(compiled, setting)
    (path,) = empty.iterdir()
    text = path.read_text()
    entry = json.loads(text)
    if damage == "edge taken away":
        entry["certificate"]["required"].pop()
    if damage in DAMAGES:  # the model contradicts none of these
        entry["certificate"] |= DAMAGES[damage]
    broken = {
        "half": text[: len(text) // 2],
        "empty": "",
        "other schema": text.replace(cache.SCHEMA, "x/9"),
        "edge taken away": json.dumps(entry),
        **dict.fromkeys(DAMAGES, json.dumps(entry)),
        "not an object": "[]",
    }
    path.write_text(broken[damage])
    again = cache.certificate_of(compiled, setting)
    assert replace(again, seconds=0) == replace(first, seconds=0)
    assert len(counted) == 2
    cache.certificate_of(compiled, setting)
    assert len(counted) == 2


@pytest.mark.parametrize("wrong", ["nothing", "one edge fewer", "one edge more", "rows of another list"])
def test_an_entry_that_the_model_contradicts_is_reported_and_computed_again(empty, counted, caplog, wrong):
    """The entry's own hash is right, so only the model can contradict it."""
    compiled, setting = program("xproportion"), Setting()
    first = cache.certificate_of(compiled, setting)
    (path,) = empty.iterdir()
    entry = json.loads(path.read_text())
    record = entry["certificate"]
    required, surplus = record["required"], sorted({*record["permitted"]} - {*record["required"]})
    record["required"] = {
        "nothing": [], "one edge fewer": required[1:], "one edge more": [*required, *surplus[:1]],
    }.get(wrong, required)  # fmt: skip
    if wrong == "rows of another list":
        record["telling"] = [10**6]
    path.write_text(json.dumps(entry | {"sha256": cache._digest(record)}))
    again = cache.certificate_of(compiled, setting)
    assert replace(again, seconds=0) == replace(first, seconds=0)
    assert len(counted) == 2
    assert caplog.messages == [f"tracrcheck: {path} does not agree with xproportion: it is computed again"]
    assert cache.certificate_of(compiled, setting) == again
    assert len(counted) == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_second_circuit_that_the_model_contradicts_is_noticed(name):
    compiled, setting = program(name), Setting()
    found, task = cache.certificate_of(compiled, setting), task_of(compiled, setting)
    assert cache.agrees(task, found)
    assert not cache.agrees(task, replace(found, other=found.required))
    lost = next(iter(found.required))
    assert not cache.agrees(task, replace(found, other=found.required.without(lost)))


def test_where_a_method_has_run_another_process_computes_and_this_one_writes_nothing(empty, monkeypatch):
    from edgeprune_core.criterion import Outcome
    from tracrcheck.processes.clean import foreign_code_runs_here

    compiled, setting = program("hist"), Setting()
    task = task_of(compiled, setting)
    foreign_code_runs_here()
    with monkeypatch.context() as patched:  # as a method may leave the core behind
        patched.setattr(Outcome, "deviation", lambda self, got, want, scored: scored.sum(-1) * 0.0)
        assert len(cache.certify(task, setting).required) == 0
        found = cache.certificate_for(task, setting)
    assert len(found.required) == 6
    assert len([*empty.iterdir()]) == 1
    assert replace(cache.certify(task, setting), seconds=0) == replace(found, seconds=0)


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRACRCHECK_CACHE", str(tmp_path / "file" / "cache"))
    assert cache.certificate_of(program("hist"), Setting()).usable


def test_no_partial_file_is_left_behind(empty):
    cache.certificate_of(program("hist"), Setting())
    assert [p.suffix for p in empty.iterdir()] == [".json"]


def test_the_key_changes_with_everything_a_certificate_depends_on(monkeypatch):
    compiled = program("hist")
    setting, limits = Setting(), Limits()
    task = task_of(compiled, setting)
    longer = task_of(compiled, Setting(lengths=(1, 2)))
    scored = task.scored.clone()
    scored[:, 0] = True
    keys = {
        "as it is": cache.key_of(task, setting, limits),
        "inputs": cache.key_of(longer, setting, limits),
        "scored": cache.key_of(replace(task, scored=scored), setting, limits),
        "other places": cache.key_of(
            replace(task, places=torch.ones(len(task.tokens), 1).long()), setting, limits
        ),
        "outcome": cache.key_of(
            replace(task, outcome=replace(task.outcome, tolerance=0.02)), setting, limits
        ),
        "setting": cache.key_of(task, Setting(criterion="decoded"), limits),
        "limits": cache.key_of(task, setting, Limits(seconds=1)),
        "ablation": cache.key_of(task_of(compiled, Setting(ablation="mean")), setting, limits),
        "places": cache.key_of(
            replace(task, places=torch.zeros(len(task.tokens), 1, dtype=torch.long)), setting, limits
        ),
        "model": cache.key_of(replace(task, model=_louder(task.model)), setting, limits),
    }
    monkeypatch.setattr(cache, "method_sha", lambda kind: "another file")
    keys["the file of the ablation"] = cache.key_of(task, setting, limits)
    monkeypatch.setattr(cache, "_sources", lambda: "other text")
    keys["sources"] = cache.key_of(task, setting, limits)
    assert len(set(keys.values())) == len(keys)


def test_every_module_that_proves_a_truth_is_among_the_sources():
    folder = Path(cache.__file__).parent
    proving = {
        path
        for path in reached(["tracrcheck.truth.certify", "tracrcheck.truth.cache"])
        if path.parent == folder
    }
    assert {f"truth/{path.name}" for path in proving} - set(cache.CHECK_SOURCES) <= {"truth/__init__.py"}


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TRACRCHECK_CACHE", "/a")
    assert str(cache.cache_folder()) == "/a"
    monkeypatch.delenv("TRACRCHECK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert str(cache.cache_folder()) == "/b/tracrcheck"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / ".cache" / "tracrcheck"
