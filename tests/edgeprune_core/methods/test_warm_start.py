"""Gates that start from another method's ranking."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.errors import CheckError
from edgeprune_core.methods import EapIg, EdgePruning
from edgeprune_core.methods.edge_pruning import EdgePruningTraining, WarmStart
from edgeprune_core.training.prices import SparsityTarget
from tests.edgeprune_core.methods.subjects import llama, prompts


@dataclass(frozen=True)
class Backwards:
    """Ranks the last edge of the graph first. It must be asked to keep all edges."""

    n_edges: int | None = None

    def __call__(self, task) -> Discovery:
        assert self.n_edges == task.graph.n_edges  # so that it does not search for a size
        return Discovery(circuit=Circuit.full(task.graph), scores=torch.arange(float(task.graph.n_edges)))


QUICK = EdgePruning(steps=5, circuits=4, n_edges=10)


def begun(method):
    task = prompts(llama(), n=3)
    return task, EdgePruningTraining(method, task)


def test_the_best_edges_of_the_ranking_start_open_and_the_others_closed():
    task, training = begun(replace(QUICK, init=WarmStart(method=Backwards(), opened=3.0)))
    edges = training.gates.edges.detach()
    assert edges[-30:].tolist() == [2.0] * 30
    assert edges[:-30].tolist() == [-2.0] * (task.graph.n_edges - 30)


@pytest.mark.parametrize("price", [None, SparsityTarget(edges=0.9)])
def test_what_is_wanted_is_the_methods_number_or_the_targets_or_a_quarter_of_the_graph(price):
    method = replace(QUICK, n_edges=None, init=WarmStart(method=Backwards(), opened=1.0))
    task, training = begun(method if price is None else replace(method, price=price))
    n = task.graph.n_edges
    assert int((training.gates.edges > 0).sum()) == (n // 4 if price is None else round(0.1 * n))


def test_edges_beyond_those_trained_stay_cut_and_rank_last():
    init = WarmStart(method=Backwards(), opened=2.0, trained=4.0)
    task, training = begun(replace(QUICK, init=init, price=SparsityTarget(edges=0.5)))
    before = training.gates.edges.detach().clone()
    for _ in range(QUICK.steps):
        sample = training.gates.sample(50, torch.Generator().manual_seed(training.taken))
        assert (sample[:, :-40] == 0).all()
        training.advance()
    found = training.discovery()
    assert (training.gates.edges.detach()[-40:] != before[-40:]).all()
    assert found.scores.isfinite().all()
    assert found.scores[:-40].max() < found.scores[-40:].min()
    assert set(found.circuit) <= set(task.graph.edges[-40:])


def test_without_a_start_nothing_changes_and_eap_ig_is_the_default_one():
    assert WarmStart().method == EapIg()
    task = prompts(llama(), n=3)
    cold = QUICK(task)
    assert torch.equal(cold.scores, replace(QUICK, init=None)(task).scores)
    assert not torch.equal(cold.scores, replace(QUICK, init=WarmStart())(task).scores)


def test_a_method_without_scores_is_refused():
    def whole(task):
        return Discovery(circuit=Circuit.full(task.graph))

    with pytest.raises(CheckError) as caught:
        begun(replace(QUICK, init=WarmStart(method=whole)))
    assert caught.value.code == "EP206"


@pytest.mark.parametrize(("items", "used"), [(2, 2), (None, 5)])
def test_the_ranking_is_made_on_at_most_so_many_items(items, used):
    seen = []

    def ranks(task) -> Discovery:
        seen.append(len(task.items))
        return Discovery(circuit=Circuit.full(task.graph), scores=torch.arange(float(task.graph.n_edges)))

    WarmStart(method=ranks, items=items).log_alphas(prompts(llama(), n=5), 10)
    assert seen == [used]
