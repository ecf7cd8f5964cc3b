"""Runs that compute their layers again in the backward pass, and models whose weights are fetched: the same numbers, with
less memory."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch

from edgeprune_core.ablations import Resample
from edgeprune_core.distributed.sharded_weights import ENDS, gathered, unit_of
from edgeprune_core.engine import forward
from edgeprune_core.graph import ResidualGraph
from tests.edgeprune_core import models
from tests.edgeprune_core.engine.test_forward import batch, every_shape, masks_of

# float64: the same sums in the same order, except in softmax, which the pass without gradients computes differently.
EXACT = 1e-12
PLACES = torch.tensor([[3, 0], [1, 0], [2, 1]])


class Shelf:
    """Returns copies, and fills the last one with NaN when the next is requested. Records which units were requested."""

    def __init__(self, model):
        self.model, self.asked, self.out = model, [], {}

    def take(self, unit):
        if not self.asked or self.asked[-1] != unit:
            for tensor in self.out.values():
                tensor.data.fill_(torch.nan)
            self.asked.append(unit)
            self.out = {name: t.clone() for name, t in unit_of(self.model, unit).items()}
        return self.out


def setting(name):
    model, (tokens, valid), (corrupted, _) = models.model(name), batch(name), batch(name, seed=1)
    mask = masks_of(ResidualGraph.of(model.spec), np.random.default_rng(3))
    return model, tokens, mask, Resample().background(model, corrupted, valid), valid


def outputs_and_gradient(model, tokens, mask, background, **more):
    mask = mask.clone().requires_grad_()
    got = forward.run(model, tokens, mask, background, **more)
    got.square().sum().backward()
    return got.detach(), mask.grad


def assert_same(got, want):
    for one, other in zip(got, want, strict=True):
        assert (one - other).abs().max() <= EXACT * other.abs().max()


@every_shape
@pytest.mark.parametrize("places", [None, PLACES])
def test_computing_layers_again_changes_no_output_and_no_gradient(name, places):
    model, tokens, mask, background, valid = setting(name)
    got = outputs_and_gradient(model, tokens, mask, background, valid=valid, places=places, recompute=True)
    want = outputs_and_gradient(model, tokens, mask, background, valid=valid, places=places)
    assert_same(got, want)
    assert want[1].abs().max() > 0.1


@every_shape
def test_the_same_holds_under_zero_ablation_with_some_writers_dead(name):
    model, tokens, mask, _, valid = setting(name)
    graph = ResidualGraph.of(model.spec)
    mask = mask.clone()
    for reader in graph.readers:
        mask[:, reader.index, graph.n_embeddings :: 2] = 0
    edges = forward.open_edges(mask, graph)
    assert not edges.any(0).all()
    got = outputs_and_gradient(model, tokens, mask, None, valid=valid, edges=edges, recompute=True)
    assert_same(got, outputs_and_gradient(model, tokens, mask, None, valid=valid, edges=edges))


@every_shape
def test_a_model_whose_weights_come_a_layer_at_a_time_gives_the_same(name):
    model, tokens, mask, background, valid = setting(name)
    shelf = Shelf(model)
    far = gathered(model, shelf, model.device)
    got = outputs_and_gradient(far, tokens, mask, background, valid=valid, recompute=True)
    assert_same(got, outputs_and_gradient(model, tokens, mask, background, valid=valid))
    layers = list(range(model.spec.n_layers))
    assert shelf.asked == [
        ENDS,
        *layers,
        ENDS,
        *reversed(layers),
    ]  # the backward pass starts with ENDS, which is still at hand
    plain = forward.trace(far, tokens, valid=valid)
    assert_same([plain.writers, plain.outputs], vars(forward.trace(model, tokens, valid=valid)).values())


def test_going_back_without_computing_again_reads_weights_that_are_gone():
    model, tokens, mask, background, valid = setting("llama")
    far = gathered(model, Shelf(model), model.device)
    _, gradient = outputs_and_gradient(far, tokens, mask, background, valid=valid)
    assert not gradient.isfinite().all()


def test_a_layer_keeps_nothing_until_its_backward_pass(monkeypatch):
    model, tokens, mask, background, valid = setting("gpt2")
    held, plain = [], forward.mlp_output

    def watched(model, layer, seen):
        held.append(weakref.ref(seen))
        return plain(model, layer, seen)

    monkeypatch.setattr(forward, "mlp_output", watched)
    mask = mask.clone().requires_grad_()
    got = forward.run(model, tokens, mask, background, valid=valid, recompute=True)
    assert [ref() for ref in held] == [None] * model.spec.n_layers
    got.sum().backward()
    assert len(held) == 2 * model.spec.n_layers


def test_a_stacked_tensor_is_never_gathered_whole():
    model = models.model("gpt2")
    far = gathered(model, Shelf(model), model.device)
    assert far.weights.w_q.shape == model.weights.w_q.shape
    assert far.dtype == model.dtype
    assert torch.equal(far.weights.w_q[1], model.weights.w_q[1])
    assert torch.equal(far.weights.unembed + 0, model.weights.unembed)
    for use in (lambda w: w + 1, lambda w: w[0:2], lambda w: w.sum(), lambda w: w[torch.tensor([0])]):
        with pytest.raises(RuntimeError, match="'w_q' is gathered a layer at a time"):
            use(far.weights.w_q)


def test_a_gathered_model_can_be_read_in_another_precision():
    model = models.model("llama")
    far = gathered(model, Shelf(model), model.device)
    single = far.to(torch.float32)
    assert single.dtype == torch.float32
    assert far.dtype == torch.float64
    tokens, _ = batch("llama")
    assert torch.equal(forward.outputs(single, tokens), forward.outputs(model.to(torch.float32), tokens))
    with pytest.raises(RuntimeError, match="a layer at a time"):
        far.to("cpu")
