"""Loaders, metrics and answers of a task as other tools see it; and tasks that are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core import Discovery, Scores
from edgeprune_core.errors import CheckError
from edgeprune_core.methods.exact import Exact
from edgeprune_core.methods.selectors import FewestWithinTolerance
from tests.edgeprune_core import models
from tests.tracrcheck.peers.conftest import peer, task
from tracrcheck.peers import hooked


def test_batches_have_one_length_and_are_drawn_by_the_seed():
    its = peer("hist")
    loader = its.loader(at_most=50, batch=8)
    items = torch.cat([part for _, _, part in loader])
    assert len(items) == 50
    assert len({tuple(row) for row in items.tolist()}) == 50
    lengths = its.task.valid.sum(1)
    for clean, corrupted, part in loader:
        assert len(part) <= 8
        assert (lengths[part] == clean.shape[1]).all()
        assert torch.equal(clean, its.task.tokens[part[:, 0], : clean.shape[1]])
        assert torch.equal(corrupted, its.task.tokens[part[:, 1], : clean.shape[1]])
    again = hooked(replace(its.task, seed=1))
    assert torch.equal(its.items(at_most=50), hooked(its.task).items(at_most=50))
    assert not torch.equal(its.items(at_most=50), again.items(at_most=50))
    assert torch.equal(its.items(), its.task.items)


def test_a_length_without_inputs_and_a_loader_of_nothing_are_refused():
    its = peer("hist")
    assert {clean.shape[1] for clean, _, _ in its.loader(length=3)} == {3}
    for call, wanted in (({"length": 77}, "one of 2, 3"), ({"at_most": 0}, "1 or more")):
        with pytest.raises(CheckError) as caught:
            its.loader(**call)
        assert caught.value.code == "TC196"
        assert wanted in caught.value.wanted


def test_a_pair_of_unequal_lengths_is_no_task():
    own = task("hist")
    lengths = own.valid.sum(1)
    unequal = torch.tensor([[int(lengths.argmin()), int(lengths.argmax())]])
    with pytest.raises(CheckError, match="EP161"):
        replace(own, items=unequal)


def test_the_margin_is_the_tasks_own_and_carries_a_gradient():
    for name in ("hist", "xproportion"):
        its = peer(name)
        metric = its.metric("margin")
        for clean, _, items in its.loader(at_most=20):
            logits = its.model(clean)
            value = metric(logits, None, None, items)
            want = its.task.margins(its.task.reference[items[:, 0]][None], items).sum()
            assert torch.isclose(-value, want)
            assert value.requires_grad


def test_the_deviation_is_that_of_each_item():
    its = peer("hist", "zero")
    ((clean, _, items),) = its.loader(at_most=8, length=4)
    with torch.no_grad():
        logits = its.model(clean)
        assert its.metric("deviation")(logits, None, None, items).max() < 1e-12
        off = its.metric("deviation")(logits + 1, None, None, items)
    assert off.shape == (len(items),)
    assert off.min() > 0.9
    with pytest.raises(CheckError, match="TC196"):
        its.metric("accuracy")


def test_an_answer_has_scores_and_a_circuit_only_where_a_selector_makes_one():
    its = peer("hist")
    own = Exact().scores(its.task)
    scores = {its.name(e, "eap_ig"): float(x) for e, x in zip(its.task.graph.edges, own, strict=True)}
    scores |= {name: 0.0 for name in its.correspondence.known("eap_ig") if name not in scores}
    ranked = its.discovery(scores, names="eap_ig")
    assert isinstance(ranked, Scores)
    assert torch.equal(ranked.scores, own)
    chosen = its.discovery(scores, names="eap_ig", select=FewestWithinTolerance())
    assert isinstance(chosen, Discovery)
    assert chosen.circuit == Exact()(its.task).circuit
    assert chosen.notes == {"selector": "fewest_within_tolerance"}


@pytest.mark.parametrize("ablation", ["mean"])
def test_mean_ablation_is_refused_with_the_reason(ablation):
    with pytest.raises(CheckError) as caught:
        hooked(task("hist", ablation))
    assert caught.value.code == "TC192"
    assert "means over a batch" in caught.value.what


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("gpt2", "norm layernorm, activation gelu_tanh"),
        ("llama", "norm rmsnorm, positions rotary, keys that heads share, gated MLPs, activation silu"),
        ("multi_query", "keys that heads share, parallel blocks"),
        ("bag", "norm rmsnorm, positions none"),
    ],
)
def test_a_model_with_norms_or_other_parts_is_refused(name, parts):
    with pytest.raises(CheckError) as caught:
        hooked(replace(task("hist", "zero"), model=models.model(name)))
    assert (caught.value.code, caught.value.got) == ("TC191", parts)


def test_the_device_that_a_tool_names_is_read_as_the_models_own():
    with peer("hist").own_device():
        assert torch.zeros(3, device="cuda").device.type == "cpu"
        assert torch.zeros(3, device="cpu", dtype=torch.float64).dtype == torch.float64
