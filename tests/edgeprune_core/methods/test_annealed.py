"""Edge pruning with annealed gates."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.mask import mask_from_edge_values
from edgeprune_core.methods import EapIg, EdgePruning
from edgeprune_core.methods.edge_pruning import AnnealedSweep, EdgePruningTraining, WarmStart
from edgeprune_core.methods.top_edges import top_edges
from edgeprune_core.training.annealing import Annealing
from edgeprune_core.training.checkpoint import finished
from tests.edgeprune_core.methods.subjects import llama, prompts

INIT = WarmStart(trained=2.0, graded=1.0, items=4)
METHOD = EdgePruning(steps=25, circuits=1, fresh=4, kept=0, n_edges=25, init=INIT, annealing=Annealing())


def kl(task, circuit: Circuit) -> float:
    return float(task.deviations(circuit).mean())


def test_the_circuit_is_nearer_to_the_model_than_the_ranking_it_started_from():
    task = prompts(llama(), n=8)
    method = replace(METHOD, steps=100, fresh=8)
    found, start = method(task), EapIg(n_edges=25)(replace(task, items=task.items[:4]))
    assert len(found.circuit) <= 25
    assert kl(task, found.circuit) < 0.6 * kl(task, start.circuit)
    assert found.steps == 100


def test_a_training_that_went_astray_returns_the_ranking_it_started_from():
    task = prompts(llama(), n=8)
    astray = EdgePruningTraining(METHOD, task)
    with torch.no_grad():
        trained = astray.gates.edges.isfinite()
        astray.gates.edges[trained] *= -1
    assert astray.discovery().circuit == top_edges(task, INIT.log_alphas(task, 25), 25)


def test_log_alphas_start_graded_by_rank_and_are_0_at_the_number_wanted():
    task = prompts(llama(), n=8)
    start = INIT.log_alphas(task, 25)
    order = start.argsort(descending=True)
    assert abs(float(start[order[24]])) < 1e-6
    assert start[order[:50]].isfinite().all()
    assert start[order[50:]].isinf().all()
    assert float(start.max()) == 3.0


def test_closed_gates_have_a_gradient_and_edges_that_are_not_trained_stay_cut():
    task = prompts(llama(), n=8)
    training = EdgePruningTraining(METHOD, task)
    before = training.gates.edges.detach().clone()
    for _ in range(METHOD.steps):
        training.advance()
    trained = before.isfinite()
    assert int(trained.sum()) == 50
    moved = training.gates.edges.detach() != before
    assert not moved[~trained].any()
    gates = training._sampled()[0]
    closed = trained & (gates == 0)
    assert int((closed & moved).sum()) > 15
    mask, whole = (mask_from_edge_values(task.graph, x[None]) for x in (gates.detach(), trained.double()))
    assert torch.equal(training._counted(mask), task.open_edges(whole))
    assert int(training._counted(mask).sum()) > int(task.open_edges(mask).sum())


def test_without_a_number_it_aims_at_a_twentieth_of_the_graph_and_keeps_the_fewest_within_the_tolerance():
    task = prompts(llama(), n=4)
    training = EdgePruningTraining(replace(METHOD, n_edges=None, steps=3), task)
    n = task.graph.n_edges
    assert float(training._sampled().detach().sum()) == pytest.approx(n // 20, abs=1e-3)
    assert task.accepts(finished(training).circuit)


def test_a_sweep_goes_from_large_to_small_and_each_size_starts_from_the_gates_of_the_last():
    task = prompts(llama(), n=4)
    few = replace(
        METHOD, n_edges=None, steps=4, annealed_sweep=AnnealedSweep(sizes=3, smallest=0.05, steps=2)
    )
    n = task.graph.n_edges
    (first, at_first), (second, at_second), (third, _) = few.annealed(task)
    assert [first, second, third] == AnnealedSweep(sizes=3, smallest=0.05).counts(n)
    assert first == round(n / 4)
    assert torch.equal(at_first, replace(few, n_edges=first)(task).scores)
    trained = at_first > at_first.min()
    start = torch.where(trained, at_first, -torch.inf)
    again = EdgePruningTraining(replace(few, n_edges=second, steps=2), task, start=start)
    finished(again)
    assert torch.equal(again.ranking(), at_second)
    assert next(circuit for _, circuit in few.sweep(task)) == top_edges(task, at_first, first)


def test_the_first_ranking_of_a_sweep_is_cut_at_larger_sizes_too_up_to_the_whole_graph():
    task = prompts(llama(), n=4)
    sweep = AnnealedSweep(sizes=2, smallest=0.05, steps=1, larger=3)
    method = replace(METHOD, n_edges=None, steps=2, annealed_sweep=sweep)
    (first, scores), (second, _) = method.annealed(task)
    n = task.graph.n_edges
    cuts = sweep.cuts(first, n)
    assert cuts == sorted(cuts)
    assert (cuts[0], cuts[-1], len(cuts)) == (first, n, 4)
    found = list(method.sweep(task))
    assert [circuit for _, circuit in found[:4]] == [top_edges(task, scores, cut) for cut in cuts]
    assert found[3][1] == Circuit.full(task.graph)
    assert [setting for setting, _ in found[:2]] == [
        f"annealed to {first}",
        f"annealed to {first}, top {cuts[1]}",
    ]
    assert [setting for setting, _ in found[4:]] == [f"annealed to {second}"]
