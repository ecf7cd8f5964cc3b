"""Weights: what fits a spec, what is refused, and files that read back equal."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from edgeprune_core import weights as module
from edgeprune_core.errors import CheckError
from edgeprune_core.weights import Model
from tests.edgeprune_core import models


def _replaced(name, **tensors):
    model = models.model(name)
    return Model(model.spec, replace(model.weights, **tensors))


def _refusal(make) -> CheckError:
    with pytest.raises(CheckError) as caught:
        make()
    return caught.value


@pytest.mark.parametrize("name", models.SPECS)
def test_a_model_reads_back_equal_from_its_file(name, tmp_path):
    model = models.model(name)
    model.save(tmp_path / "model.safetensors")
    again = Model.load(tmp_path / "model.safetensors")
    assert again.spec == model.spec
    assert again.digest() == model.digest()
    ours, theirs = model.weights.tensors(), again.weights.tensors()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_the_digest_distinguishes_models_by_any_tensor_and_by_the_spec():
    model = models.model("gpt2")
    digests = {model.digest()}
    for name, tensor in model.weights.tensors().items():
        digests.add(Model(model.spec, replace(model.weights, **{name: tensor + 1e-9})).digest())
    digests.add(Model(replace(model.spec, causal=False), model.weights).digest())
    assert len(digests) == 2 + len(model.weights.tensors())


def test_a_file_cut_in_half_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    models.model("tracr").save(path)
    whole = path.read_bytes()
    for size in (0, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        error = _refusal(lambda: Model.load(path))
        assert (error.code, error.where) == ("EP136", str(path))


def test_a_save_that_dies_midway_leaves_the_old_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    models.model("tracr").save(path)
    before = path.read_bytes()

    def dies(tensors, partial, metadata):
        partial.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(module, "save_file", dies)
    with pytest.raises(OSError, match="disk full"):
        models.model("tracr", seed=1).save(path)
    assert path.read_bytes() == before


def test_a_missing_file_and_a_file_of_another_kind_are_refused(tmp_path):
    assert _refusal(lambda: Model.load(tmp_path / "none")).code == "EP136"
    save_file({"tok": torch.ones(1)}, tmp_path / "other")
    error = _refusal(lambda: Model.load(tmp_path / "other"))
    assert str(error) == (
        f"EP136 {tmp_path / 'other'} not a model file of ours\n    got     None\n"
        "    wanted  edgeprune_core.model/1"
    )


@pytest.mark.parametrize(("change", "code"), [("drop", "EP131"), ("add", "EP132")])
def test_a_file_with_a_tensor_too_few_or_too_many_is_refused(tmp_path, change, code):
    path = tmp_path / "model.safetensors"
    model = models.model("tracr")
    model.save(path)
    tensors = load_file(path)
    if change == "drop":
        del tensors["w_o"]
    else:
        tensors["w_extra"] = torch.ones(1)
    meta = {"format": module.FORMAT, "spec": module.json.dumps(model.spec.to_json())}
    save_file(tensors, path, metadata=meta)
    assert _refusal(lambda: Model.load(path)).code == code


def test_a_model_that_lacks_a_tensor_its_spec_needs_is_refused():
    error = _refusal(lambda: _replaced("tracr", pos=None))
    assert (error.code, error.wanted) == ("EP131", "['pos']")


def test_a_model_with_a_tensor_its_spec_does_not_use_is_refused():
    error = _refusal(lambda: _replaced("tracr", norm_gain=torch.ones(6, dtype=torch.float64)))
    assert (error.code, error.got) == ("EP132", "['norm_gain']")


def test_a_tensor_of_another_shape_is_refused():
    error = _refusal(lambda: _replaced("tracr", b_out=torch.zeros(3, 5, dtype=torch.float64)))
    assert str(error) == "EP133 tensor 'b_out' has another shape\n    got     (3, 5)\n    wanted  (3, 6)"


def test_a_model_of_two_dtypes_is_refused():
    error = _refusal(lambda: _replaced("tracr", b_out=torch.zeros(3, 6)))
    assert (
        str(error)
        == "EP134 a model mixes dtypes\n    got     ['torch.float32', 'torch.float64']\n    wanted  one"
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_weight_that_is_not_a_finite_number_is_refused(bad):
    tensor = models.model("tracr").weights.w_in.clone()
    tensor[1, 2, 3] = bad
    error = _refusal(lambda: _replaced("tracr", w_in=tensor))
    assert (
        str(error)
        == "EP135 tensor 'w_in' is not finite\n    got     NaN or infinity\n    wanted  finite numbers"
    )


def test_an_output_bias_of_another_shape_is_refused():
    good = models.model("gpt2")
    assert good.weights.b_unembed is not None
    error = _refusal(lambda: _replaced("gpt2", b_unembed=torch.zeros(1, dtype=torch.float64)))
    assert (error.code, error.got, error.wanted) == ("EP133", "(1,)", "(3,)")
