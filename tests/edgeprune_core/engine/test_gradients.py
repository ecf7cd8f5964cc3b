"""Gradients of the masked forward: those of finite differences, in each precision, with several runs alive at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgeprune_core.ablations import Resample
from edgeprune_core.engine import open_edges, run, trace
from edgeprune_core.engine.blocks.mlp import activate
from edgeprune_core.engine.blocks.rotary import rotate
from edgeprune_core.fold_norms import folded
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import edge_values, mask_from_edge_values
from tests.edgeprune_core import models
from tests.edgeprune_core.engine.test_forward import LENGTHS, _setting, assert_near, batch, every_shape


@every_shape
def test_the_gradient_with_respect_to_the_mask_is_that_of_finite_differences(name):
    model, (tokens, valid), (corrupted, _) = models.model(name), batch(name), batch(name, seed=1)
    graph = ResidualGraph.of(model.spec)
    background = Resample().background(model, corrupted, valid)
    values = torch.tensor(np.random.default_rng(6).random((1, graph.n_edges)))
    weigh = torch.tensor(np.random.default_rng(7).normal(size=(len(LENGTHS), 4, model.spec.d_out)))

    def score(given):
        out = run(model, tokens, mask_from_edge_values(graph, given), background, valid=valid)
        return (out * weigh * valid[..., None]).sum((1, 2, 3))

    leaf = values.clone().requires_grad_()
    score(leaf).sum().backward()
    step = 1e-6
    nudges = step * torch.eye(graph.n_edges, dtype=torch.float64)
    slopes = (score(values + nudges) - score(values - nudges)) / (2 * step)
    # The error of a central difference is about step^2 of curvature plus rounding / step.
    assert_near(leaf.grad[0], slopes, 1e-6)
    told_apart = torch.tensor(
        [str(e.writer) != "pos" for e in graph.edges]
    )  # positions are the same in both runs
    assert (leaf.grad[0, told_apart] != 0).all()


def test_the_gradient_of_a_mask_entry_without_an_edge_is_zero():
    model, tokens, valid, masks, background = _setting("llama")
    leaf = masks.clone().requires_grad_()
    run(model, tokens, leaf, background, valid=valid).square().sum().backward()
    graph = ResidualGraph.of(model.spec)
    outside = leaf.grad - mask_from_edge_values(graph, edge_values(graph, leaf.grad))
    assert (outside == 0).all()
    assert (edge_values(graph, leaf.grad) != 0).any()


def test_float32_and_float64_agree_to_the_precision_of_float32():
    model, tokens, valid, masks, background = _setting("gpt2")
    got = run(model.to(torch.float32), tokens, masks.float(), background.float(), valid=valid)
    assert got.dtype == torch.float32
    assert_near(got, run(model, tokens, masks, background, valid=valid), 1e-4)


@every_shape
def test_with_norms_folded_into_weights_every_mask_gives_the_same_outputs_and_gradient(name):
    model, tokens, valid, masks, _background = _setting(name)
    other = folded(model)
    assert other.spec.norm in ("none", "rms")
    assert ResidualGraph.of(other.spec) == ResidualGraph.of(model.spec)
    assert_near(
        trace(other, tokens, valid=valid).outputs[valid], trace(model, tokens, valid=valid).outputs[valid]
    )
    corrupted, _ = batch(name, seed=1)
    for there, here in ((None, None), [trace(m, corrupted, valid=valid).writers for m in (model, other)]):
        for n in (1, len(masks)):
            found = []
            for which, behind in ((model, there), (other, here)):
                leaf = masks[:n].clone().requires_grad_()
                out = run(which, tokens, leaf, behind, valid=valid)
                (out[:, valid].sin()).sum().backward()
                found.append((out[:, valid].detach(), leaf.grad))
            assert_near(found[1][0], found[0][0])
            assert_near(found[1][1], found[0][1])


@every_shape
def test_two_runs_alive_at_once_do_not_disturb_each_other_and_one_may_go_back_twice(name):
    model, tokens, valid, masks, background = _setting(name)
    leaf, other = masks.clone().requires_grad_(), (1 - masks).requires_grad_()

    def back(out, by):
        return torch.autograd.grad(out[:, valid].square().sum(), by, retain_graph=True)[0]

    def once(by):
        return back(run(model, tokens, by, background, valid=valid), by)

    want, want_other = once(leaf), once(other)
    first = run(model, tokens, leaf, background, valid=valid)
    second = run(model, tokens, other, background, valid=valid)
    assert torch.equal(back(first, leaf), want)
    assert torch.equal(back(second, other), want_other)
    assert torch.equal(back(first, leaf), want)


@every_shape
@pytest.mark.parametrize("ablated", ["zero", "resample"])
def test_there_is_a_gradient_where_no_writer_is_alive(name, ablated):
    model, tokens, valid, masks, background = _setting(name)
    nothing = torch.zeros_like(masks[:1]).requires_grad_()
    edges = open_edges(nothing, ResidualGraph.of(model.spec))
    assert not edges.any()
    for places in (None, torch.zeros(len(tokens), 1, dtype=torch.long)):
        background = None if ablated == "zero" else background
        run(model, tokens, nothing, background, valid=valid, places=places, edges=edges).sum().backward()
    assert (nothing.grad == 0).all()


def test_the_gradient_of_a_mask_is_of_its_own_precision_whatever_the_models():
    model, tokens, valid, masks, background = _setting("gpt2")
    rough, want = masks.float().requires_grad_(), masks.clone().requires_grad_()
    for leaf, m, behind in (
        (rough, model.to(torch.bfloat16), background.bfloat16()),
        (want, model, background),
    ):
        run(m, tokens, leaf, behind, valid=valid)[:, valid].double().square().sum().backward()
    assert rough.grad.dtype == torch.float32
    same = torch.nn.functional.cosine_similarity(rough.grad.flatten().double(), want.grad.flatten(), dim=0)
    assert 0.99 < same < 1


def test_rotary_positions_are_exact_in_bfloat16_beyond_256():
    spec = models.SPECS["llama"]
    x = torch.randn(1, 1, 400, spec.d_head, generator=torch.Generator().manual_seed(0)).bfloat16()
    got, want = rotate(spec, x).double(), rotate(spec, x.double())
    # The bound is two products and a sum, each rounded to 8 bits. The angle between two positions is far larger: about 1
    # in the first pair. bfloat16 cannot hold 257, so a rounded position would have another angle.
    assert (got - want).abs().max() <= 4 * 2**-8 * x.double().abs().max()
    assert (want[:, :, 257] - rotate(spec, x.double().roll(1, 2))[:, :, 257]).abs().max() > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_at_its_kink_relu_has_the_mean_of_both_slopes_and_a_linear_map_by_two_has_slope_1(dtype):
    spec = replace(models.SPECS["gpt2"], activation="relu")
    x = torch.tensor([-1.0, -1e-7, 0.0, 1e-7, 1.0], dtype=dtype, requires_grad=True)
    (slope,) = torch.autograd.grad(activate(spec, x).sum(), x)
    assert slope.tolist() == [0.0, 0.5, 0.5, 0.5, 1.0]
    (slope,) = torch.autograd.grad((activate(spec, x) - activate(spec, -x)).sum(), x)
    assert slope.tolist() == [1.0] * 5
    assert torch.equal(activate(spec, x).detach(), x.detach().relu())
