"""How large a circuit is wanted: each option gives the circuit it names, for any method that scores edges."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.errors import CheckError
from edgeprune_core.graph import LARGE
from edgeprune_core.methods import Eap, EapIg, EdgePruning
from edgeprune_core.methods.top_edges import fewest_edges
from edgeprune_core.training.prices import SparsityTarget
from tests.edgeprune_core.methods.subjects import llama, prompts
from tracrcheck.trained.sizes import EdgeCount, MeanKl, Tolerance, size_of

NOTHING = {"edges": None, "sparsity": None, "kl": None, "tolerance": False}


def chosen(n_edges: int, **given):
    return size_of(**(NOTHING | given), n_edges=n_edges)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"edges": 7}, EdgeCount(edges=7)),
        ({"sparsity": 0.9}, EdgeCount(edges=10)),
        ({"sparsity": 0.999}, EdgeCount(edges=1)),
        ({"sparsity": 0.0}, EdgeCount(edges=100)),
        ({"kl": 0.3}, MeanKl(nats=0.3)),
        ({"kl": 0.0}, MeanKl(nats=0.0)),
        ({"tolerance": True}, Tolerance()),
        ({}, Tolerance()),
    ],
)
def test_each_option_names_a_size(given, wanted):
    assert chosen(100, **given) == wanted


def test_without_an_option_a_large_graph_is_cut_to_a_share_of_its_edges():
    assert chosen(LARGE) == Tolerance()
    assert chosen(LARGE + 1) == EdgeCount(edges=500)
    assert chosen(LARGE + 1, tolerance=True) == Tolerance()


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"edges": 101}, "--edges"),
        ({"edges": 0}, "--edges"),
        ({"sparsity": 1.0}, "--sparsity"),
        ({"sparsity": -0.1}, "--sparsity"),
        ({"kl": -1.0}, "--kl"),
        ({"kl": float("nan")}, "--kl"),
        ({"edges": 5, "kl": 0.1}, "--edges, --sparsity, --kl, --tolerance"),
        ({"sparsity": 0.5, "tolerance": True}, "--edges, --sparsity, --kl, --tolerance"),
    ],
)
def test_what_is_not_a_size_is_refused(given, where):
    with pytest.raises(CheckError) as caught:
        chosen(100, **given)
    assert (caught.value.code, caught.value.where) == ("TC117", where)


def test_a_number_of_edges_is_set_where_a_method_has_it_and_edge_pruning_aims_at_it():
    size = EdgeCount(edges=25)
    assert size.applied_to(EapIg(), 100) == EapIg(n_edges=25)
    pruning = size.applied_to(EdgePruning(steps=60), 100)
    assert pruning == EdgePruning(steps=60, n_edges=25, price=SparsityTarget(edges=0.75, warm_up=30))
    assert MeanKl(nats=1.0).applied_to(EapIg(), 100) == EapIg(n_edges=100)
    assert Tolerance().applied_to(EapIg(), 100) == EapIg()


@dataclass(frozen=True)
class Scores:
    """A method from elsewhere: it knows nothing of sizes."""

    def __call__(self, task) -> Discovery:
        scores = torch.rand(task.graph.n_edges, generator=torch.Generator().manual_seed(3))
        return Discovery(circuit=Circuit.full(task.graph), scores=scores)


def test_circuits_are_cut_to_the_size_by_score():
    task = prompts(llama(), n=3)
    found = Scores()(task)
    best = [task.graph.edges[i] for i in found.scores.argsort(descending=True)[:20]]
    assert (
        EdgeCount(edges=20).cut(task, found.circuit, found.scores) == Circuit.of(task.graph, best).connected()
    )
    few = Circuit.of(task.graph, best[:5])
    assert EdgeCount(edges=20).cut(task, few, None) == few
    assert Tolerance().cut(task, found.circuit, None) == found.circuit


def test_the_fewest_edges_within_a_mean_kl_are_kept():
    task = prompts(llama(), n=3)
    found = Scores()(task)
    order = found.scores.argsort(descending=True).tolist()
    by_size = [
        float(
            task.deviations(
                Circuit.of(task.graph, [task.graph.edges[i] for i in order[:n]]).connected()
            ).mean()
        )
        for n in (0, len(order) // 2)
    ]
    nats = sum(by_size) / 2
    cut = MeanKl(nats=nats).cut(task, found.circuit, found.scores)
    assert float(task.deviations(cut).mean()) <= nats
    assert len(cut) < task.graph.n_edges
    assert MeanKl(nats=1e9).cut(task, found.circuit, found.scores) == Circuit.empty(task.graph)


def test_a_size_needs_scores():
    task = prompts(llama(), n=3)
    for size in (EdgeCount(edges=3), MeanKl(nats=0.1)):
        with pytest.raises(CheckError) as caught:
            size.cut(task, Circuit.full(task.graph), None)
        assert caught.value.code == "TC188"


def test_kl_bounds_the_mean_over_prompts_and_not_the_worst():
    task = prompts(llama(), n=5)
    scores = Eap(n_edges=task.graph.n_edges)(task).scores

    def fewest(of) -> Circuit:
        return fewest_edges(task, scores, accepts=lambda c: float(of(task.deviations(c))) <= 0.05)[0]

    cut = MeanKl(nats=0.05).cut(task, Circuit.full(task.graph), scores)
    assert cut == fewest(torch.mean) != fewest(torch.max)
