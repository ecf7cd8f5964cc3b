"""EAP: its scores are brute-force gradients, whatever the ablation; its circuits are the top of the ranking."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core.attribution import margin_gradient
from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import trace
from edgeprune_core.mask import mask_from_edge_values, to_mask
from edgeprune_core.methods import METHODS, Eap
from edgeprune_core.ties import levelled
from tests import zoo
from tests.edgeprune_core import models, naive
from tests.edgeprune_core.methods.subjects import llama, prompts
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

STEP = 1e-5  # of central differences: error about STEP^2 and 1e-16 / STEP, below 1e-8 on margins of order 1


@pytest.fixture(scope="module")
def model():
    return llama()


def by_differences(task) -> torch.Tensor:
    """d margin / d mask of each edge, by central differences of one edge at a time."""
    n = task.graph.n_edges
    values = torch.ones(2 * n, n, dtype=torch.float64)
    values[:n] += STEP * torch.eye(n)
    values[n:] -= STEP * torch.eye(n)
    with torch.no_grad():
        out = task.margins(
            task.outputs(mask_from_edge_values(task.graph, values), task.items), task.items
        ).mean(1)
    return (out[:n] - out[n:]) / (2 * STEP)


@pytest.mark.parametrize("name", ["zero", "mean", "resample"])
def test_scores_are_the_gradient_by_brute_force(name, model):
    task = prompts(model, name)
    want = by_differences(task)
    assert want.abs().max() > 1e-2
    assert (margin_gradient(task) - want).abs().max() < 1e-7
    assert torch.equal(Eap()(task).scores, margin_gradient(task).abs())


def test_scores_are_the_difference_carried_times_the_gradient_at_the_reader_in_the_naive_forward(model):
    task = prompts(model, n=2)
    shape, arrays = models.shape_of(model.spec), models.arrays_of(model)
    got = margin_gradient(task)
    names = naive.nodes(shape)
    for place in range(0, task.graph.n_edges, 9):
        edge = task.graph.edges[place]
        total = 0.0
        for clean, corrupted in task.items.tolist():
            ids = task.tokens[clean][task.valid[clean]].tolist()
            other = trace(model, task.tokens[corrupted][task.valid[corrupted]][None]).writers[:, 0].numpy()
            background = dict(zip(names, other, strict=True))
            ends = []
            for share in (1 + STEP, 1 - STEP):
                keep = dict.fromkeys(naive.edges(shape), 1.0) | {(str(edge.writer), str(edge.reader)): share}
                logits = naive.run(shape, arrays, ids, keep, background)[0][-1]
                ends.append(logits[task.answers[clean, 0]] - logits[task.foils[clean, 0]])
            total += (ends[0] - ends[1]) / (2 * STEP)
        assert abs(total / 2 - float(got[place])) < 1e-7, str(edge)


def test_batches_change_nothing(model):
    task = prompts(model)
    assert torch.allclose(margin_gradient(task), margin_gradient(task, items_at_once=2), atol=1e-12)


def test_the_model_and_later_gradients_are_left_alone(model):
    task = prompts(model)
    before = task.model.digest()
    margin_gradient(task)
    assert task.model.digest() == before
    assert not any(t.requires_grad or t.grad is not None for t in model.weights.tensors().values())


def test_a_number_of_edges_gives_those_with_the_largest_effects(model):
    task = prompts(model)
    found = Eap(n_edges=25)(task)
    order = found.scores.argsort(descending=True)
    top = Circuit.of(task.graph, (task.graph.edges[i] for i in order[:25].tolist()))
    assert found.circuit == top.connected()
    assert len(found.circuit) <= 25
    assert found.hard_evaluations == 0
    assert Eap(n_edges=task.graph.n_edges)(task).circuit == Circuit.full(task.graph).connected()


def test_without_a_number_the_circuit_is_within_the_tolerance_and_one_edge_fewer_is_not(model):
    task = prompts(model)
    for tolerance in (0.003, 0.03):
        task = replace(task, outcome=replace(task.outcome, tolerance=tolerance))
        found = Eap()(task)
        assert task.accepts(found.circuit)
        assert 0 < len(found.circuit) < task.graph.n_edges
        assert 0 < found.hard_evaluations <= 9
        assert len(Eap(n_edges=len(found.circuit))(task).circuit) <= len(found.circuit)


@pytest.mark.parametrize("ablation_name", ["zero", "mean", "resample"])
def test_on_a_compiled_program_it_returns_a_faithful_circuit(compiled, ablation_name):
    task = task_of(compiled("xproportion"), Setting(ablation=ablation_name, lengths=(3, 3)))
    found = METHODS["eap"](task)
    assert task.accepts(found.circuit)
    assert found.circuit.edges < frozenset(task.graph.edges)
    assert found.scores.shape == (
        task.graph.n_edges,
    )  # no brute force here: compiled MLPs sit on their kinks


def test_the_margin_of_a_categorical_program_is_its_own_value_less_the_mean_of_the_others(compiled):
    task = task_of(compiled("hist"), Setting(lengths=(2, 2)))
    got = task.margins(task.reference[task.items[:, 0]][None], task.items)[0]
    for row, clean in enumerate(task.items[:, 0].tolist()):
        total = 0.0
        for place in task.scored[clean].nonzero()[:, 0].tolist():
            scores = task.reference[clean, place].tolist()
            own = max(scores)
            total += own - (sum(scores) - own) / (len(scores) - 1)
        assert abs(float(got[row]) - total) < 1e-9


def test_the_margin_of_a_numerical_program_grows_away_from_the_mean_on_either_side(compiled):
    task = task_of(compiled("xproportion"), Setting(lengths=(3, 3)))
    outputs = task.reference[task.items[:, 0]][None].clone().requires_grad_()
    task.margins(outputs, task.items).sum().backward()
    slope = outputs.grad[0]
    scored = task.scored[task.items[:, 0]]
    values, mean = task.reference[task.items[:, 0]], task.reference[task.scored].mean()
    assert (slope[~scored] == 0).all()
    assert ((values[scored] - mean) * slope[scored] >= 0).all()
    assert set(slope[scored].flatten().tolist()) >= {-1.0, 1.0}


def scored(name, dtype=torch.float64, items=None):
    """A program's scores under resampling, on these items, by default 64 of the list."""
    task = task_of(zoo.compiled(name), Setting(ablation="resample"))
    if items is None:
        items = task.items[torch.randperm(len(task.items), generator=torch.Generator().manual_seed(0))[:64]]
    task = replace(task, items=items).to(dtype)
    return task, margin_gradient(task).abs()


def ranked(scores) -> list[int]:
    level = levelled(scores.tolist(), scores.dtype)
    return [sorted(set(level), reverse=True).index(x) for x in level]


def test_at_an_exact_kink_the_score_is_the_slope_from_either_side():
    """The relu(x) - relu(-x) of a linear map, at x = 0; finite differences and the whole cut give 1.125."""
    task, scores = scored("blend", items=torch.tensor([[7, 10]]))
    edge = task.graph.edge("m0 -> a1.h0.v")
    assert float(scores[task.graph.edges.index(edge)]) == pytest.approx(1.125, abs=1e-6)
    full = Circuit.full(task.graph)
    with torch.no_grad():
        whole, cut = task.margins(
            task.outputs(to_mask([full, full.without(edge)], dtype=torch.float64), task.items), task.items
        )
    assert float(abs(whole - cut)) == pytest.approx(1.125, abs=1e-6)


@pytest.mark.parametrize("name", ["blend", "window_fraction", "xproportion", "pair_balance", "sort", "hist"])
def test_single_and_double_precision_rank_the_edges_alike(name):
    single, double = (scored(name, dtype)[1] for dtype in (torch.float32, torch.float64))
    assert ranked(single) == ranked(double)


@pytest.mark.parametrize("name", ["changes", "detect_pattern_abc", "first_equals_last", "nesting_level"])
def test_scores_at_kinks_of_one_side_do_not_depend_on_the_precision(name):
    single, double = (scored(name, dtype)[1].double() for dtype in (torch.float32, torch.float64))
    assert (single - double).abs().max() < 1e-4 * double.max()


def test_an_output_that_equals_the_mean_up_to_rounding_has_no_weight():
    task = task_of(zoo.compiled("pair_balance"), Setting(ablation="resample"))
    inputs = torch.arange(len(task.tokens)).repeat(2, 1).T
    outputs = torch.zeros(1, *task.reference.shape, dtype=torch.float64, requires_grad=True)
    (weight,) = torch.autograd.grad(task.margins(outputs, inputs).sum(), outputs)
    weights = weight[0][task.scored]
    assert weights.numel() == 426
    assert int((weights == 0).sum()) == 126
    assert set(weights.flatten().tolist()) == {-1.0, 0.0, 1.0}
