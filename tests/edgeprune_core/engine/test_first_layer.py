"""Runs that start at a later layer: the same outputs as whole runs, if every edge before that layer is kept."""

from __future__ import annotations

import pytest
import torch

from edgeprune_core.engine import open_edges, run, trace
from edgeprune_core.graph import ResidualGraph
from tests.edgeprune_core import models


@pytest.mark.parametrize("resampled", [False, True])
@pytest.mark.parametrize("name", models.SPECS)
def test_a_run_from_any_layer_is_the_whole_run(name, resampled):
    model = models.model(name)
    graph = ResidualGraph.of(model.spec)
    draw = torch.Generator().manual_seed(3)
    tokens = torch.randint(model.spec.d_vocab, (3, 5), generator=draw)
    valid = torch.arange(5) < torch.tensor([[5], [4], [5]])
    places = torch.tensor([[4], [3], [0]])
    corrupted = torch.randint(model.spec.d_vocab, (3, 5), generator=draw)
    written = trace(model, tokens, valid=valid).writers
    background = trace(model, corrupted, valid=valid).writers if resampled else None
    whole = torch.tensor(
        [[float(w < reach) for w in range(len(graph.writers))] for reach in graph.reach], dtype=torch.float64
    )
    for layer in range(model.spec.n_layers + 1):
        mask = whole * torch.rand(4, *whole.shape, generator=draw, dtype=torch.float64).round()
        before = [reader.index for reader in graph.readers if reader.layer < layer]
        mask[:, before] = whole[before]
        given = {"valid": valid, "places": places, "edges": open_edges(mask, graph)}
        got = run(model, tokens, mask, background, first_layer=layer, written=written, **given)
        assert torch.allclose(got, run(model, tokens, mask, background, **given), atol=1e-12, rtol=0)
        if layer:
            cut = torch.where(torch.tensor([r in before for r in range(len(whole))])[:, None], 0.0, mask)
            other = run(model, tokens, cut, background, valid=valid, places=places)
            assert not torch.allclose(got, other, atol=1e-3)  # what comes before the layer does matter
