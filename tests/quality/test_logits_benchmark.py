"""`ci/bench/logits.py`, on a tiny Llama: equal models are apart by rounding, and a changed weight is noticed."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import partial

import pytest
import torch
from transformers import AutoModelForCausalLM

from ci.bench.logits import BARS, begun, drawn, kept, measured
from edgeprune_core.trained_models import load_model
from tests.gguf_files import write_llama


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    path = write_llama(tmp_path_factory.mktemp("gguf") / "tiny.gguf")
    load = partial(AutoModelForCausalLM.from_pretrained, str(path.parent), gguf_file=path.name)
    return load_model(path).model, load


@pytest.mark.parametrize("dtype", BARS)
def test_logits_are_compared_on_random_prompts(both, dtype):
    found = measured(*both, dtype=dtype, prompts=3, longest=6)
    assert (found.dtype, found.prompts, found.longest) == (dtype, 3, 6)
    assert 0 <= found.mean <= found.worst <= BARS[dtype]
    assert found.good
    assert found.largest > 0


def test_a_measurement_that_stopped_is_continued(both, tmp_path):
    asked = {"dtype": "float32", "longest": 6}
    whole = measured(*both, **asked, prompts=5)
    turns = iter([False, False, True])
    part = measured(*both, **asked, prompts=5, over=lambda: next(turns))
    assert part.prompts == 2
    path = tmp_path / "x.json"
    path.write_text(json.dumps([{**asdict(part), "commit": "a"}]))
    assert begun(path, {**asked, "commit": "a"}) == part
    assert begun(path, {**asked, "commit": "b"}) is begun(tmp_path / "none.json", asked) is None
    rest = measured(*both, **asked, prompts=5, before=part)
    assert replace(rest, seconds=0, mean=0) == replace(whole, seconds=0, mean=0)
    assert rest.mean == pytest.approx(whole.mean)


def test_a_model_with_another_weight_is_noticed(both):
    ours, theirs = both
    wrong = replace(ours, weights=replace(ours.weights, w_out=ours.weights.w_out * 1.01))
    assert not measured(wrong, theirs, dtype="float64", prompts=3, longest=6).good


def test_prompts_are_the_same_each_time_and_of_all_lengths():
    prompts = list(drawn(50, longest=4, vocab=9))
    assert all(torch.equal(a, b) for a, b in zip(prompts, drawn(50, longest=4, vocab=9), strict=True))
    assert {p.shape[1] for p in prompts} == {1, 2, 3, 4}
    assert max(int(p.max()) for p in prompts) == 8


def test_a_record_replaces_that_of_its_precision(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('[{"dtype": "float32", "worst": 1}, {"dtype": "float64", "worst": 2}]')
    assert [row["worst"] for row in kept(path, {"dtype": "float32", "worst": 3})] == [2, 3]
    assert kept(tmp_path / "new.json", {"dtype": "float32"}) == [{"dtype": "float32"}]
