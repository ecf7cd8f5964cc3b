"""EAP-IG: its scores are sums of brute-force gradients along each path; along masks they add up to the whole effect."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from edgeprune_core.ablations import Mean, Resample, Zero
from edgeprune_core.attribution import margin_gradient, margin_gradient_along_inputs
from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome
from edgeprune_core.engine import trace
from edgeprune_core.mask import mask_from_edge_values, to_mask
from edgeprune_core.methods import Eap, EapIg
from edgeprune_core.task import Task
from tests.edgeprune_core import models, naive
from tests.edgeprune_core.methods.subjects import llama, prompts

STEP = 1e-5  # of central differences: error about STEP^2 and 1e-16 / STEP, below 1e-8 on margins of order 1
ABLATIONS = ["zero", "mean", "resample"]


@pytest.fixture(scope="module")
def model():
    return llama()


@pytest.mark.parametrize("name", ABLATIONS)
def test_along_masks_scores_are_the_mean_of_brute_force_gradients(name, model):
    task, m = prompts(model, name, n=3), 4
    n = task.graph.n_edges
    want = torch.zeros(n, dtype=torch.float64)
    for k in range(1, m + 1):
        values = torch.full((2 * n, n), k / m, dtype=torch.float64)
        values[:n] += STEP * torch.eye(n)
        values[n:] -= STEP * torch.eye(n)
        masks = mask_from_edge_values(task.graph, values)
        with torch.no_grad():
            margins = task.margins(task.outputs(masks, task.items), task.items).mean(1)
        want += (margins[:n] - margins[n:]) / (2 * STEP) / m
    assert want.abs().max() > 1e-2
    assert (margin_gradient(task, steps=m) - want).abs().max() < 1e-7
    assert torch.equal(EapIg(path="activations", steps=m)(task).scores, margin_gradient(task, steps=m).abs())


def positions_task(ablation) -> Task:
    """A random GPT-2 shape, with learned positions: inputs of lengths 3 to 5, some places scored."""
    model = models.model("gpt2")
    draw = torch.Generator().manual_seed(1)
    tokens = torch.randint(model.spec.d_vocab, (6, 5), generator=draw)
    valid = torch.arange(5) < torch.tensor([3, 3, 4, 4, 5, 5])[:, None]
    return Task(
        name="positions", model=model, ablation=ablation, tokens=tokens, valid=valid, scored=valid & (tokens != 0),
        items=torch.tensor([[0, 1], [2, 3], [5, 4]]), outcome=Outcome(categorical=True),
    )  # fmt: skip


@pytest.mark.parametrize("shape", ["rotary", "learned"])
@pytest.mark.parametrize("name", ABLATIONS)
def test_along_inputs_scores_are_clean_differences_times_gradients_at_interpolated_embeddings(
    name, shape, model
):
    if shape == "rotary":
        task = prompts(model, name, n=2)
    else:
        other = positions_task(Zero())
        inputs = [row[on][None] for row, on in zip(other.tokens, other.valid, strict=True)]
        task = positions_task(
            {"zero": Zero(), "resample": Resample(), "mean": Mean().of(other.model, inputs)}[name]
        )
    m = 3
    got = margin_gradient_along_inputs(task, steps=m)
    gradients = [along_inputs(task, row, k / m) for row in range(len(task.items)) for k in range(1, m + 1)]
    for place in range(0, task.graph.n_edges, 9):
        edge = task.graph.edges[place]
        total = sum(gradient((str(edge.writer), str(edge.reader))) for gradient in gradients)
        assert abs(total / (m * len(task.items)) - float(got[place])) < 1e-7, str(edge)
    assert got.abs().max() > 1e-2
    assert torch.equal(EapIg(steps=m)(task).scores, got.abs())


def along_inputs(task: Task, row: int, share: float) -> Callable[[tuple[str, str]], float]:
    """The gradient on one item for an edge, by the naive forward: the reader's input moves by what the edge carries in the
    clean run."""
    shape, arrays = models.shape_of(task.model.spec), models.arrays_of(task.model)
    item = task.items[row : row + 1]
    clean = int(item[0, 0])
    n = int(task.valid[clean].sum())
    names = naive.nodes(shape)
    wrote = trace(task.model, task.tokens[clean, :n][None]).writers[:, 0].numpy()
    background = task.background(item)
    ablated = 0 * wrote if background is None else background[:, 0, :n].numpy()
    carried = dict(zip(names, wrote - ablated, strict=True))
    for at, embedding in enumerate(names[: task.graph.n_embeddings]):
        arrays |= {embedding: wrote[at] - (1 - share) * carried[embedding]}
    keep = dict.fromkeys(naive.edges(shape), 1.0)
    _, here, _ = naive.run(shape, arrays, range(n), keep, dict.fromkeys(names, 0 * wrote[0]))
    shifted = {name: here[name] - carried[name] for name in names}

    def gradient(edge: tuple[str, str]) -> float:
        outputs = torch.zeros(2, 1, task.tokens.shape[1], task.model.spec.d_out, dtype=torch.float64)
        for end, kept in enumerate((1 + STEP, 1 - STEP)):
            outputs[end, 0, :n] = torch.from_numpy(
                naive.run(shape, arrays, range(n), keep | {edge: kept}, shifted)[0]
            )
        if task.places is not None:
            outputs = outputs[:, :, task.places[clean]]
        ends = task.margins(outputs, item)[:, 0]
        return float(ends[0] - ends[1]) / (2 * STEP)

    return gradient


@pytest.mark.parametrize("path", ["inputs", "activations"])
@pytest.mark.parametrize("name", ABLATIONS)
def test_with_one_step_it_is_eap(name, path, model):
    task = prompts(model, name)
    assert torch.allclose(EapIg(path=path, steps=1)(task).scores, Eap()(task).scores, atol=1e-12)
    assert not torch.allclose(EapIg(path=path)(task).scores, Eap()(task).scores, atol=1e-3)


@pytest.mark.parametrize(("name", "m"), [("zero", 64), ("mean", 16), ("resample", 16)])
def test_along_masks_scores_sum_to_what_cutting_everything_costs_the_closer_the_more_steps(name, m, model):
    task = prompts(model, name)
    ends = to_mask([Circuit.full(task.graph), Circuit.empty(task.graph)], dtype=torch.float64)
    kept, cut = task.margins(task.outputs(ends, task.items), task.items).mean(1).tolist()
    assert abs(kept - cut) > 1e-2
    off = [abs(float(margin_gradient(task, steps=steps).sum()) - (kept - cut)) for steps in (m, 4 * m)]
    assert off[0] > 3 * off[1]  # 4, if the error were exactly of order 1/m
    assert off[1] < 0.1 * abs(kept - cut)


@pytest.mark.parametrize("path", ["inputs", "activations"])
def test_batches_change_nothing(path, model):
    task = prompts(model)
    few = EapIg(path=path, items_at_once=2)(task).scores
    assert torch.allclose(EapIg(path=path)(task).scores, few, atol=1e-12)


def test_a_path_of_no_known_kind_is_refused(model):
    with pytest.raises(KeyError, match="sideways"):
        EapIg(path="sideways")(prompts(model))


@pytest.mark.parametrize("path", ["inputs", "activations"])
def test_a_number_of_edges_gives_those_with_the_largest_effects(path, model):
    task = prompts(model)
    found = EapIg(path=path, n_edges=25)(task)
    order = found.scores.argsort(descending=True)[:25].tolist()
    assert found.circuit == Circuit.of(task.graph, (task.graph.edges[i] for i in order)).connected()
    assert found.hard_evaluations == 0
    assert found.steps == 5
