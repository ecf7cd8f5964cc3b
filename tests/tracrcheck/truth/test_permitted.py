"""`permitted` does not depend on the basis of the stream, nor on the size of weights; merging has no steps."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import run
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import to_mask
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model
from tests import zoo
from tracrcheck.invariants.subjects import random_model
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


# What one part of a model alone can carry ------------------------------------------------------------------

SPEC = ModelSpec(
    n_layers=1, n_heads=2, n_kv_heads=1, d_model=8, d_head=3, d_mlp=5, d_vocab=4, d_out=3, n_ctx=4, causal=False,
    gated_mlp=True,
)  # fmt: skip
Change = Callable[[Model], dict[str, torch.Tensor]]


def _only_the_second_head(model: Model) -> dict[str, torch.Tensor]:
    w = model.weights
    return {
        name: torch.stack([0 * getattr(w, name)[:, 0], getattr(w, name)[:, 1]], 1)
        for name in ("w_q", "b_q", "w_o")
    }


def _only_lowered(model: Model) -> dict[str, torch.Tensor]:
    w = model.weights
    return {"tok": w.tok.abs(), "unembed": -w.unembed.abs()}


def _only_at_bos(model: Model) -> dict[str, torch.Tensor]:
    return {"pos": torch.cat([model.weights.pos[:1], 0 * model.weights.pos[1:]])}


# An edge, and a change of the model after which the edge matters in one way only.
ALONE: dict[str, tuple[str, Change]] = {
    "a value bias": ("a0.h0 -> out", lambda m: {"w_v": 0 * m.weights.w_v}),
    "a query bias": ("tok -> a0.h0.k", lambda m: {"w_q": 0 * m.weights.w_q}),
    "an output bias of an MLP": ("m0 -> out", lambda m: {"w_out": 0 * m.weights.w_out}),
    "the gate of an MLP": ("tok -> m0", lambda m: {"w_in": 0 * m.weights.w_in}),
    "a later head of a group": ("tok -> a0.h0.v", _only_the_second_head),
    "lower outputs": ("tok -> out", _only_lowered),
    "the position of BOS": ("pos -> out", _only_at_bos),
}


@pytest.mark.parametrize("part", ALONE)
def test_what_one_part_of_a_model_alone_carries_is_permitted_and_the_rest_changes_nothing(part):
    text, change = ALONE[part]
    model = random_model(SPEC, random.Random(0))
    model = Model(model.spec, replace(model.weights, **change(model)))
    graph, tokens = ResidualGraph.of(model.spec), torch.arange(16).view(4, 4) % 4
    inside = permitted(model, tokens)
    draw = torch.Generator().manual_seed(0)
    for edge in graph.edges:
        kept = torch.rand(20, graph.n_edges, generator=draw) < 0.7
        some = [
            Circuit.of(graph, [e for e, on in zip(graph.edges, row, strict=True) if on and e != edge])
            for row in kept
        ]
        both = [
            to_mask(of, dtype=model.dtype) for of in (some, [c | Circuit.of(graph, [edge]) for c in some])
        ]
        without, with_it = (run(model, tokens, mask) for mask in both)
        moved = float((without - with_it).abs().max())
        assert edge in inside or moved < 1e-9, f"{edge} moves the output by {moved:.2g}"
        if str(edge) == text:
            assert edge in inside
            assert moved > 1e-3
