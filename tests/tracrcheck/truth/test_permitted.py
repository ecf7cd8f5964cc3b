"""`permitted` does not depend on the basis of the stream, nor on the size of weights; merging has no steps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.weights import Model, Weights
from tests import zoo
from tracrcheck.invariants.renumbering import with_model
from tracrcheck.invariants.subjects import small
from tracrcheck.planted.distractors import Draw
from tracrcheck.truth.permitted import permitted, rounding
from tracrcheck.truth.search import _Variants

# What the search takes for one output: above rounding of sums of order 100 (1e-14 each), below a tie of 1e-9.
SAME = 1e-11
READS, WRITES = ("w_q", "w_k", "w_v", "w_in", "unembed"), ("tok", "pos", "w_o", "b_o", "w_out", "b_out")
NAMES = ("reverse", "sort_freq", "shuffle_dyck2", "blend", "copy_tokens", "nary_sequencemap", "mean_token")


def turned(model: Model, seed: int) -> Model:
    """The same model with its stream turned."""
    turn, w = Draw.of(seed).orthogonal(model.spec.d_model), model.weights
    reads = {name: turn.T @ getattr(w, name) for name in READS}
    return Model(model.spec, replace(w, **reads, **{name: getattr(w, name) @ turn for name in WRITES}))


def allowed(model: Model, name: str, **noise):
    ours = zoo.compiled(name)
    return permitted(model, ours.encode(ours.domain.inputs)[0], **noise)


@pytest.mark.parametrize("name", NAMES)
def test_turning_the_stream_permits_the_same_edges(name):
    model = zoo.compiled(name).model
    assert allowed(turned(model, 1), name) == allowed(model, name)


def test_without_a_bound_on_rounding_a_turned_stream_permits_far_too_much():
    model = zoo.compiled("reverse").model
    assert len(allowed(turned(model, 1), "reverse", noise=0.0)) > 2 * len(allowed(model, "reverse"))


@pytest.mark.parametrize("name", NAMES)
def test_compiled_weights_need_no_bound(name):
    model = zoo.compiled(name).model
    assert allowed(model, name, noise=0.0) == allowed(model, name) == allowed(model, name, noise=1e-3)


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_the_size_of_weights_does_not_matter(size):
    model = turned(zoo.compiled("reverse").model, 2)
    changed = {name: size * getattr(model.weights, name) for name in WRITES}
    scaled = Model(model.spec, replace(model.weights, **changed))
    assert allowed(scaled, "reverse") == allowed(model, "reverse")


def test_the_bound_grows_with_the_sizes_and_with_the_rounding_unit():
    spec = zoo.compiled("reverse").model.spec
    assert 1e-13 < rounding(spec) < 1e-12
    assert rounding(replace(spec, d_model=2 * spec.d_model)) > rounding(spec)
    assert rounding(spec, torch.float32) == rounding(spec) * 2**29


def test_outputs_on_both_sides_of_a_rounding_step_are_one_variant():
    step = torch.full((1, 2, 3, 4), 0.5 * SAME, dtype=torch.float64)
    shift = torch.zeros_like(step)
    shift[..., 1] = 1.0
    outputs = torch.cat([step * 0.999, shift, step * 1.001, shift + step, shift + 3 * SAME])
    found = _Variants()
    assert found.number(outputs).tolist() == [0, 1, 0, 1, 2]
    assert found.number(outputs.flip(0)).tolist() == [2, 1, 0, 1, 0]
    assert len(found.kept) == 3


def test_many_outputs_with_noise_are_as_many_variants_as_without():
    draw = Draw.of(0)
    plain = draw.normal(40, 2, 5, 30)
    noisy = [plain[draw.order(40)] + 1e-13 * draw.normal(*plain.shape) for _ in range(20)]
    found = _Variants()
    for part in noisy:
        found.number(part)
    assert len(found.kept) == 40


def test_outputs_that_fall_into_bins_that_touch_are_one_variant():
    plain = Draw.of(1).normal(40, 2, 5, 30)
    found = _Variants()
    found.number(plain)
    shift = 0.9 * SAME * found._c.sign().view(1, 2, 5, 30)  # the furthest that one variant may lie apart
    assert found.number(plain + shift).tolist() == found.number(plain - shift).tolist() == list(range(40))


def test_what_a_head_writes_by_the_bias_of_its_values_alone_is_permitted():
    """Its weights are 0, so it writes a constant, which is not what a cut edge carries under zero ablation."""
    subject = small("plain", 0)
    tensors = subject.model.weights.tensors()
    for name in ("w_v", "b_v"):
        tensors[name] = tensors[name].clone()
        tensors[name][0, 0] = 0.0
    heads = [w for w in subject.graph.writers if w.kind == "head" and (w.layer, w.head) == (0, 0)]
    tokens = subject.tasks["zero"].tokens
    silent = permitted(Model(subject.spec, Weights(**tensors)), tokens)
    assert not [edge for edge in silent if edge.writer in heads]
    tensors["b_v"][0, 0] = 1.0
    tensors["w_o"] = torch.ones_like(tensors["w_o"])
    tensors["unembed"] = torch.ones_like(tensors["unembed"]) + torch.arange(subject.spec.d_out)
    model = Model(subject.spec, Weights(**tensors))
    assert "a0.h0 -> out" in permitted(model, tokens).texts
    full = Circuit.full(subject.graph)
    task = with_model(subject.tasks["zero"], model)
    assert task.deviations(full.without(subject.graph.edge("a0.h0 -> out"))).max() > 0.1
