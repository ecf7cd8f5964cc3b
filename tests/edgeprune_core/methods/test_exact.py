"""Exact patching: the score of an edge is the effect of cutting it alone; batched masks give the same scores."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core import task as tasks
from edgeprune_core.circuit import Circuit
from edgeprune_core.mask import to_mask
from edgeprune_core.methods import Exact
from edgeprune_core.metrics.divergence import bounded, kl, sharp_temperature
from tests.edgeprune_core.methods.subjects import llama, prompts
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of


@pytest.fixture(scope="module")
def model():
    return llama()


@pytest.mark.parametrize("name", ["zero", "mean", "resample"])
def test_scores_are_those_of_each_edge_cut_alone(name, model):
    task = prompts(model, name)
    full = Circuit.full(task.graph)
    alone = torch.cat([task.deviations(full.without(edge)) for edge in task.graph.edges])
    assert alone.max() > 1e-3
    assert (Exact()(task).scores - alone.amax(1)).abs().max() < 1e-12
    assert (Exact(over="mean")(task).scores - alone.mean(1)).abs().max() < 1e-12


@pytest.mark.parametrize("name", ["zero", "mean", "resample"])
def test_on_a_compiled_program_scores_are_those_of_each_edge_cut_alone(name, compiled):
    task = task_of(compiled("pair_balance"), Setting(ablation=name, lengths=(1, 2)))
    full = Circuit.full(task.graph)
    alone = torch.stack([task.deviations(full.without(edge)).max() for edge in task.graph.edges])
    assert alone.max() > 0.1
    assert (Exact().scores(task) - alone).abs().max() < 1e-12


def test_batches_of_circuits_change_nothing(model):
    task = prompts(model)
    assert torch.allclose(Exact().scores(task), Exact(circuits_at_once=5).scores(task), atol=1e-12)


def test_a_number_of_edges_gives_those_whose_loss_moves_the_outputs_most(model):
    task = prompts(model)
    found = Exact(n_edges=20)(task)
    order = found.scores.argsort(descending=True)[:20].tolist()
    assert found.circuit == Circuit.of(task.graph, (task.graph.edges[i] for i in order)).connected()
    assert found.hard_evaluations == task.graph.n_edges


def test_without_a_number_the_circuit_is_within_the_tolerance(model):
    task = prompts(model)
    task = replace(task, outcome=replace(task.outcome, tolerance=0.01))
    found = Exact()(task)
    assert task.accepts(found.circuit)
    assert 0 < len(found.circuit) < task.graph.n_edges


def some_circuits(task) -> list[Circuit]:
    edges = task.graph.edges
    return [Circuit.full(task.graph), Circuit.of(task.graph, edges[::2]), Circuit.empty(task.graph)]


@pytest.mark.parametrize("floats", [1, 20_000])
def test_masks_run_in_parts_deviate_as_circuits_do(floats, model, monkeypatch):
    task = prompts(model)
    circuits = some_circuits(task)
    mask = to_mask(circuits, dtype=torch.float64)
    whole = task.divergences(mask)
    monkeypatch.setattr(tasks, "CHUNK_FLOATS", floats)
    assert torch.allclose(task.deviations(mask), task.deviations(circuits), atol=1e-12)
    assert torch.allclose(task.divergences(mask), whole, atol=1e-12)


def test_the_divergence_is_kl_for_categories_and_bounded_for_numbers_over_all_scored_positions(
    compiled, model, monkeypatch
):
    monkeypatch.setattr(tasks, "CHUNK_FLOATS", 5_000)  # batches with inputs of unequal lengths
    for name, divergence in (("hist", "kl"), ("pair_balance", "bounded")):
        task = task_of(compiled(name), Setting(lengths=(1, 3)))
        assert task.outcome.scale > 1.9 or task.outcome.categorical
        mask = to_mask(some_circuits(task), dtype=torch.float64)
        clean = task.items[:, 0]
        got, want, scored = task.outputs(mask, task.items), task.reference[clean], task.scored[clean]
        wanted = {
            "kl": kl(got, want, scored, sharp_temperature(task.model.spec.d_out)),
            "bounded": bounded(got, want, scored, task.outcome.scale),
        }
        assert wanted[divergence].max() > 1e-3
        assert torch.allclose(task.divergences(mask), wanted[divergence], atol=1e-12)
        assert torch.allclose(task.divergences(mask, "bounded"), wanted["bounded"], atol=1e-12)
    task = prompts(model)
    mask = to_mask(some_circuits(task), dtype=torch.float64)
    assert torch.allclose(task.divergences(mask), task.deviations(some_circuits(task)).mean(1), atol=1e-12)
