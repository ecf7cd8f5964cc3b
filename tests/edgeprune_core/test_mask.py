"""Circuits as rows of flags."""

from __future__ import annotations

import pytest
import torch

from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import circuit_from_flags, edge_flags, live_edges

GRAPHS = {
    "three layers": ResidualGraph(3, 2, 2),
    "shared keys and values": ResidualGraph(2, 4, 2),
    "parallel blocks": ResidualGraph(2, 2, 2, parallel_blocks=True),
    "no positions": ResidualGraph(1, 1, 1, has_pos=False),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_live_edges_are_those_of_the_connected_circuit_of_each_row(name):
    graph = GRAPHS[name]
    on = torch.rand(60, graph.n_edges, generator=torch.Generator().manual_seed(1)) < 0.3
    live = live_edges(graph, on)
    assert not torch.equal(live, on)
    for flags, kept in zip(on, live, strict=True):
        assert torch.equal(kept, edge_flags(circuit_from_flags(graph, flags).connected()))
