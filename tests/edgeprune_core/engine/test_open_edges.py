"""What carries nothing is not computed, and nothing changes: open edges, and runs of them alone."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import open_edges, run, stream
from edgeprune_core.fold_norms import folded
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import circuit_from_mask, mask_from_edge_values, to_mask
from tests.edgeprune_core import models
from tests.edgeprune_core.engine.test_forward import (
    _setting,
    ablation_of,
    assert_near,
    batch,
    every_shape,
    masks_of,
)


def names_of(graph, edges):
    return [str(w) for w in graph.writers if edges[:, w.index].any()]


@pytest.fixture(params=["short", "long"])
def rows(request, monkeypatch):
    """Rows short enough to be read whole, or so long that only what is kept is read."""
    if request.param == "long":
        monkeypatch.setattr(stream, "LONG_ROWS", 1)


@every_shape
@pytest.mark.parametrize("ablation", ["zero", "resample"])
def test_leaving_out_writers_that_reach_nothing_changes_nothing(name, ablation):
    model, tokens, valid, _, background = _setting(name)
    graph, rng = ResidualGraph.of(model.spec), random.Random(4)
    for share in (0.05, 0.1, 0.2, 0.3):
        circuits = [Circuit.of(graph, [e for e in graph.edges if rng.random() < share]) for _ in range(3)]
        mask = to_mask(circuits, dtype=model.dtype)
        edges = open_edges(mask, graph)
        assert set(names_of(graph, edges)) >= {
            str(e.writer) for circuit in circuits for e in circuit.connected()
        }
        given = background if ablation == "resample" else None
        with_all = run(model, tokens, mask, given, valid=valid)
        assert_near(run(model, tokens, mask, given, valid=valid, edges=edges), with_all)


@every_shape
@pytest.mark.parametrize("ablation", ["zero", "mean", "resample"])
@pytest.mark.parametrize("fold", [False, True])
def test_where_few_edges_are_kept_outputs_and_gradient_are_those_of_the_whole_run(name, ablation, fold, rows):
    model, (tokens, valid), (corrupted, _) = models.model(name), batch(name), batch(name, seed=1)
    model = folded(model) if fold else model
    cut = ablation_of(ablation, model)
    background = cut.background(model, corrupted, valid)
    graph, draw = ResidualGraph.of(model.spec), torch.Generator().manual_seed(4)
    for share, n in ((0.1, 1), (0.3, 1), (0.2, 3)):
        values = torch.rand(n, graph.n_edges, generator=draw, dtype=torch.float64)
        mask = mask_from_edge_values(graph, values * (values < share) / share)
        edges = open_edges(mask, graph, fed=cut.interchange)
        whole, few = mask.clone().requires_grad_(), mask.clone().requires_grad_()
        want = run(model, tokens, whole, background, valid=valid)
        got = run(model, tokens, few, background, valid=valid, edges=edges)
        assert_near(got.detach(), want.detach())
        assert_near(run(model, tokens, mask, background, valid=valid, edges=edges), want.detach())
        for out in (want, got):
            (out[:, valid].sin()).sum().backward()
        assert_near(few.grad[:, edges], whole.grad[:, edges])


@every_shape
def test_edges_that_nothing_reaches_from_the_tokens_are_not_open_where_cut_edges_carry_another_input(name):
    graph, rng = ResidualGraph.of(models.SPECS[name]), random.Random(8)
    for share in (0.05, 0.1, 0.2, 0.3, 1.0):
        circuit = Circuit.of(graph, [e for e in graph.edges if rng.random() < share])
        reached, before = {"tok"}, None
        while reached != before:
            before = set(reached)
            kept = [e for e in circuit if str(e.writer) in reached]
            readers = {e.reader for e in kept}
            reached |= {str(w) for w in graph.writers if readers & set(graph.readers_of(w))}
        fed = Circuit.of(graph, kept).connected()
        assert circuit_from_mask(graph, open_edges(to_mask(circuit), graph, fed=True)) == fed


@every_shape
def test_a_gate_is_open_however_little(name):
    """Gates in training are anything between 0 and 1: what they leave out is what is exactly 0."""
    graph = ResidualGraph.of(models.SPECS[name])
    mask = masks_of(graph, np.random.default_rng(5))
    for least in (1.0, 0.3, 1e-6):
        assert torch.equal(open_edges(least * mask, graph), open_edges(mask, graph))
    one = to_mask(Circuit.full(graph), dtype=torch.float64)
    assert torch.equal(open_edges(1e-6 * one, graph)[None], one != 0)


@every_shape
def test_the_open_edges_of_one_circuit_are_those_with_a_path_to_out(name):
    graph, rng = ResidualGraph.of(models.SPECS[name]), random.Random(8)
    for share in (0.05, 0.1, 0.2, 0.3, 1.0):
        circuit = Circuit.of(graph, [e for e in graph.edges if rng.random() < share])
        assert circuit_from_mask(graph, open_edges(to_mask(circuit), graph)) == circuit.connected()


def test_a_writer_of_which_less_than_a_half_is_kept_is_live():
    graph = ResidualGraph.of(models.SPECS["gpt2"])
    for share in (0.49, 1e-6):
        everything = torch.full((1, graph.n_edges), share)
        assert open_edges(mask_from_edge_values(graph, everything), graph).any(0).all()
    weak = to_mask(Circuit.of(graph, ["tok -> m0", "m0 -> out"])) * 0.3
    assert names_of(graph, open_edges(weak, graph)) == ["tok", "m0"]
