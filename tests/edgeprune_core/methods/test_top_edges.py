"""Circuits from a ranking: its first edges, the fewest that are accepted, and ties in the order of the graph."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core.attribution import margin_gradient
from edgeprune_core.circuit import Circuit
from edgeprune_core.methods.top_edges import fewest_edges, top_edges
from edgeprune_core.ties import levelled
from tests.edgeprune_core.methods.subjects import llama, prompts


@pytest.fixture(scope="module")
def task():
    return prompts(llama(), n=3)


@pytest.mark.parametrize("tolerance", [0.003, 0.03])
def test_the_shortest_accepted_head_is_accepted_and_with_one_edge_fewer_it_is_not(tolerance, task):
    task = replace(task, outcome=replace(task.outcome, tolerance=tolerance))
    scores = margin_gradient(task).abs()
    found, tried = fewest_edges(task, scores)
    heads = [top_edges(task, scores, n) for n in range(task.graph.n_edges + 1)]
    n = heads.index(found)
    assert task.accepts(found)
    assert 0 < n < task.graph.n_edges
    assert not task.accepts(heads[n - 1])
    assert 5 < tried < 9  # of about 100: bisection


def test_where_any_circuit_is_accepted_none_is_kept_and_where_only_the_model_is_all_are(task):
    scores = torch.arange(task.graph.n_edges, dtype=torch.float64)
    lax, strict = (replace(task, outcome=replace(task.outcome, tolerance=nats)) for nats in (1e9, -1e-20))
    assert len(fewest_edges(lax, scores)[0]) == 0
    assert fewest_edges(strict, scores)[0] == Circuit.full(task.graph).connected()


def test_ties_go_to_the_edge_that_comes_first_in_the_graph(task):
    last = sorted(task.graph.edges)[-11:]  # edges into `out`: never dangling
    scores = torch.tensor([float(edge in last) for edge in task.graph.edges])
    assert top_edges(task, scores, 4) == Circuit.of(task.graph, last[:4])


def test_scores_that_only_rounding_separates_are_ties():
    noisy = [0.0, 1.0, 1e-19, -1e-20, 1.0 - 5e-10, 1e-8]
    assert levelled(noisy) == [1e-19, 1.0, 1e-19, 1e-19, 1.0, 1e-8]
    near = [1.0, 1.0 - 5e-7, 1.0 - 2e-6]
    assert levelled(near, torch.float32) == [1.0, 1.0, 1.0 - 2e-6]
    assert levelled(near) == near
    assert levelled([0.0, -0.0]) == [0.0, 0.0]
    assert levelled([]) == []
    infinite = [-float("inf"), 1.0, float("inf"), float("inf")]
    assert levelled(infinite) == infinite


def test_noise_in_equal_scores_changes_no_circuit(task):
    scores = torch.zeros(task.graph.n_edges, dtype=torch.float64)
    scores[::7] = 3.0
    noise = 1e-19 * torch.randn(len(scores), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for n in range(0, len(scores), 5):
        assert top_edges(task, scores + noise, n) == top_edges(task, scores, n)
    assert fewest_edges(task, scores + noise) == fewest_edges(task, scores)
