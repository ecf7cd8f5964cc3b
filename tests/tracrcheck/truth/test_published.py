"""What has been published about `reverse` and `xproportion`: right in one setting, wrong one step away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeprune_core.circuit import Circuit
from tests import zoo
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

LISTS = [
    pytest.param(record, entry, id=f"{path.stem}-{entry['program']}-{len(entry['edges'])}")
    for path in sorted((Path(__file__).parent / "published").glob("*.json"))
    for record in [json.loads(path.read_text())]
    for entry in record["lists"]
]


def certificate(name, **setting):
    if setting.get("lengths"):
        setting["lengths"] = tuple(setting["lengths"])
    chosen = Setting(**setting)
    return certify(task_of(zoo.compiled(name), chosen), chosen)


def coarsened(texts, merge):
    pairs = [text.split(" -> ") for text in texts]
    return {f"{merge.get(writer, writer)} -> {reader}" for writer, reader in pairs}


# ---------------------------------------------------------------- the table of known truths

TABLE = [
    ("reverse", {"lengths": (2, 3)}, 11),
    ("reverse", {"lengths": (4, 4)}, 9),
    ("reverse", {"lengths": (1, 1)}, 6),  # see the test below: 10 matter when cut alone
    ("reverse", {"lengths": (1, 1), "criterion": "decoded"}, 2),
    ("reverse", {"ablation": "resample", "lengths": (4, 4)}, 2),
    ("reverse", {"ablation": "mean"}, 2),
    ("reverse", {"ablation": "mean_pooled"}, 6),
    ("xproportion", {}, 5),
    ("xproportion", {"score_bos": True}, 7),
    ("xproportion", {"ablation": "resample", "lengths": (4, 4)}, 3),
    ("sort_unique", {"score_bos": True}, 11),
    ("sort_unique", {"score_bos": True, "criterion": "decoded"}, 9),
    ("sort_unique", {}, 9),
    ("shift_by_two", {"score_bos": True}, 6),
    ("shift_by_two", {"score_bos": True, "criterion": "decoded"}, 4),
]


@pytest.mark.parametrize(("name", "setting", "edges"), TABLE, ids=str)
def test_a_known_truth_is_certified_with_everything_proved(name, setting, edges):
    got = certificate(name, **setting)
    assert len(got.required) == edges
    assert got.proved == ("sufficient", "minimal", "smallest", "unique")
    assert got.unknown == {}


def test_reverse_of_max_length_five_needs_the_same_eleven_below_it_and_nine_at_it():
    from dataclasses import replace

    from tracrcheck.compiler.compile import compile_program

    longer = compile_program(replace(zoo.program("reverse"), max_seq_len=5))
    for lengths, edges in (((2, 4), 11), ((5, 5), 9)):
        setting = Setting(lengths=lengths)
        assert len(certify(task_of(longer, setting), setting).required) == edges


def test_of_one_token_ten_edges_of_reverse_matter_when_cut_alone_yet_six_of_them_suffice():
    setting = Setting(lengths=(1, 1))
    task = task_of(zoo.compiled("reverse"), setting)
    full = Circuit.full(task.graph)
    matters = Circuit.of(task.graph, [e for e in full if not task.accepts(full.without(e))])
    eleven = certificate("reverse", lengths=(2, 3)).required
    assert len(matters) == 10
    assert (eleven - matters).texts == ["tok -> m1"]
    six = certify(task, setting).required
    assert len(six) == 6
    assert (matters - six).texts == ["tok -> a0.h0.v", "tok -> m0", "a0.h0 -> m0", "m0 -> m1"]


def test_what_is_cut_one_at_a_time_moves_an_output_by_a_leak_or_by_far_more_than_the_tolerance():
    for name in ("reverse", "xproportion", "hist", "sort", "pair_balance"):
        task = task_of(zoo.compiled(name), Setting())
        full = Circuit.full(task.graph)
        worst = task.deviations([full.without(e) for e in full]).amax(1)
        small, large = worst[worst <= 1e-3], worst[worst > 1e-3]
        assert small.max() <= 2.4e-5
        assert large.min() >= 0.2


# ---------------------------------------------------------------- lists by others


@pytest.mark.parametrize(("record", "entry"), LISTS)
def test_a_published_list_is_right_in_the_setting_named_with_it(record, entry):
    required = certificate(entry["program"], **entry["right"]).required
    assert coarsened(required.texts, record.get("merge", {})) == set(entry["edges"])


@pytest.mark.parametrize(("record", "entry"), LISTS)
def test_a_published_list_is_wrong_in_the_other_setting_named_with_it(record, entry):
    required = certificate(entry["program"], **entry["wrong"]).required
    assert coarsened(required.texts, record.get("merge", {})) != set(entry["edges"])


def test_every_list_names_its_source_and_how_its_names_were_mapped():
    sizes = {}
    for path in (Path(__file__).parent / "published").glob("*.json"):
        record = json.loads(path.read_text())
        assert "arXiv" in record["source"]
        assert record["mapping"]
        sizes[path.stem] = [(e["program"], len(e["edges"])) for e in record["lists"]]
    assert sizes == {
        "acdc": [("reverse", 11), ("xproportion", 7)],
        "autocircuit": [("reverse", 2), ("xproportion", 3), ("reverse", 10), ("xproportion", 5)],
    }
