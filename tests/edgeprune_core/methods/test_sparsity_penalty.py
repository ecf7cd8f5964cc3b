"""The price of edges and writers: by hand, as the pathwise trainer has it, and that a target is reached in a trained model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.methods import EdgePruningKl
from edgeprune_core.methods.sparsity_penalty import Price, SparsityTarget
from edgeprune_core.trained_models import load_model
from edgeprune_core.training.gates import HardConcrete
from edgeprune_core.training.pathwise import PathwiseSettings, Target, _Price
from tests.edgeprune_core.methods.subjects import llama, prompts
from tests.tracrcheck.planted.models import planted
from tracrcheck.trained import discover
from tracrcheck.trained import prompts as prompt_lists
from tracrcheck.truth.setting import Setting, task_of

QUICK = EdgePruningKl(steps=20, circuits=4)


def both(target: SparsityTarget | None, *, nodes: bool):
    """Our price and the pathwise trainer's, with log-alphas for them."""
    task = prompts(llama(), n=2)
    draw = torch.Generator().manual_seed(0)
    edges = torch.randn(task.graph.n_edges, generator=draw, requires_grad=True)
    writers = torch.randn(len(task.graph.writers), generator=draw, requires_grad=True) if nodes else None
    theirs = None
    if target is not None:
        theirs = Target(
            edge_sparsity=target.edges, node_sparsity=target.nodes, warm_up=target.warm_up, multiplier_rate=target.rate
        )  # fmt: skip
    other = _Price(task, PathwiseSettings(penalty=0.02, target=theirs))
    own = Price(HardConcrete(), other.writer_of_edge, per_edge=0.02, per_node=0.5, target=target)
    return own, other, edges, writers


@pytest.mark.parametrize("nodes", [None, 0.4])
@pytest.mark.parametrize("step", [0, 3, 50])
def test_the_lagrangian_and_its_ascent_are_those_of_the_pathwise_trainer(nodes, step):
    target = SparsityTarget(edges=0.8, nodes=nodes, warm_up=10, rate=0.7, node_rate=0.7)
    own, other, edges, writers = both(target, nodes=nodes is not None)
    for _ in range(3):
        a, b = own(edges, writers, step), other(edges, writers, step)
        assert a.item() == pytest.approx(b.item())
        for price, multipliers in ((a, own), (b, other)):
            price.backward()
            multipliers.ascend()
        assert torch.allclose(own.multipliers, other.multipliers)
    assert own.multipliers[:2].abs().min() > 0


def test_the_price_without_a_target_counts_edges_and_writers():
    own, other, edges, writers = both(None, nodes=True)
    kept = HardConcrete().p_kept
    want = 0.02 * kept(edges).sum() + 0.5 * kept(writers).sum()
    assert own(edges, writers, 7).item() == pytest.approx(want.item())
    assert own(edges, None, 7).item() == pytest.approx(other(edges, None, 7).item())


def test_an_edge_is_cut_where_its_own_gate_or_its_writers_is():
    own, _, edges, writers = both(None, nodes=True)
    shut = torch.full_like(edges, -20.0)
    opened, barred = torch.full_like(edges, 20.0), torch.full_like(writers, 20.0)
    barred[1] = -20.0
    of_edges, of_nodes = own.sparsity(opened, barred)
    assert float(of_edges) == pytest.approx(float((own.writer_of_edge == 1).float().mean()), abs=1e-5)
    assert float(of_nodes) == pytest.approx(1 / len(writers), abs=1e-5)
    assert float(own.sparsity(shut, torch.full_like(writers, 20.0))[0]) == pytest.approx(1, abs=1e-5)


def test_node_gates_bound_the_scores_of_their_edges():
    task = prompts(llama(), n=4)
    training = replace(QUICK, node_penalty=0.5).begin(task)
    while not training.done:
        training.advance()
    assert training.nodes is not None
    assert torch.equal(
        training.scores(), torch.minimum(training.edges, training.nodes[training.writer_of_edge])
    )
    assert (training.nodes < QUICK.start).any()
    assert "node_sparsity" in training.discovery().notes


def test_the_circuit_has_as_many_edges_as_the_target_leaves_before_dangling_ones_are_dropped():
    task = prompts(llama(), n=4)
    found = replace(QUICK, target=SparsityTarget(edges=0.7, warm_up=5))(task)
    n = round(0.3 * task.graph.n_edges)
    ranked = found.scores.argsort(descending=True, stable=True)[:n].tolist()
    assert found.circuit == Circuit.of(task.graph, [task.graph.edges[i] for i in ranked]).connected()
    assert found.hard_evaluations == 0


def reached(method: EdgePruningKl) -> dict[str, float]:
    """Expected sparsities after training on the shipped subject."""
    english = load_model("english")
    pairs = prompt_lists.both_lists("ioi", english.tokenizer, n=30, seed=0).train
    return method(discover._task(english, pairs).under("resample")).notes


def test_the_sparsity_of_edges_reaches_its_target_on_the_shipped_subject():
    notes = reached(EdgePruningKl(steps=200, circuits=4, target=SparsityTarget(edges=0.9, warm_up=80)))
    assert notes["edge_sparsity"] == pytest.approx(0.9, abs=0.03)


@pytest.mark.slow
def test_both_sparsities_reach_their_targets_on_the_shipped_subject():
    notes = reached(EdgePruningKl(circuits=4, target=SparsityTarget(edges=0.9, nodes=0.3)))
    assert notes["edge_sparsity"] == pytest.approx(0.9, abs=0.03)
    assert notes["node_sparsity"] == pytest.approx(0.3, abs=0.05)


def test_a_model_that_does_not_survive_being_rounded_is_told_of():
    """Planted, its stream turned: bfloat16 is another model before any edge is cut."""
    task = task_of(planted("hist", 3, 2, 3).compiled, Setting(ablation="zero", lengths=(1, 2)))
    method = EdgePruningKl(steps=1, circuits=2, n_edges=6)
    assert "rounded" not in method(task).notes
    assert replace(method, dtype=torch.bfloat16)(task).notes["rounded"] > 10 * task.outcome.limit
