"""Edge pruning: it finds the edges that carry the answer, trains on nats, and does the same with the same seed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.mask import mask_from_edge_values
from edgeprune_core.methods import METHODS, EdgePruning, EdgePruningBounded
from edgeprune_core.metrics.divergence import kl
from edgeprune_core.training.prices import FixedPrice, SparsityTarget
from tests import zoo
from tests.edgeprune_core.methods.subjects import llama, prompts
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

QUICK = EdgePruning(steps=60, circuits=8)


def test_the_method_stands_in_the_table_in_its_default_setting():
    assert METHODS["edge_pruning"] == EdgePruning()


@pytest.mark.parametrize(
    "method", [EdgePruning(), EdgePruning(steps=60), EdgePruning(cool_down=0.05), EdgePruningBounded()]
)
def test_the_learning_rate_falls_to_a_tenth_and_never_below(method):
    """With the defaults too: a short training would not show what turns negative late."""
    rates = [method.rate(step) / method.learning_rate for step in range(method.steps)]
    assert rates == sorted(rates, reverse=True)
    assert rates[: round((1 - method.cool_down) * method.steps)] == pytest.approx(
        [1.0] * round((1 - method.cool_down) * method.steps)
    )
    if method.cool_down:
        last = 0.1 + 0.9 / (method.cool_down * method.steps)
        assert rates[-1] == pytest.approx(last)


def test_a_circuit_of_prompts_is_within_the_tolerance_small_and_the_same_again():
    task = prompts(llama(), n=6)
    found, again = QUICK(task), QUICK(task)
    assert task.accepts(found.circuit)
    assert 0 < len(found.circuit) < task.graph.n_edges
    assert found.circuit == found.circuit.connected()
    assert found.circuit == again.circuit
    assert torch.equal(found.scores, again.scores)
    assert found.steps == 60
    assert found.notes["open_gates"] == int((found.scores > 0).sum())
    other = QUICK(replace(task, seed=1))
    assert not torch.equal(found.scores, other.scores)


@pytest.mark.parametrize(("name", "steps"), [("xproportion", 150), ("hist", 150)])
def test_the_required_edges_of_a_program_rank_first(name, steps):
    """xproportion has numerical outputs, hist categorical ones."""
    setting = Setting(ablation="resample", lengths=(2, 3))
    task = task_of(zoo.compiled(name), setting)
    truth = certify(task, setting).required
    found = replace(QUICK, steps=steps)(task)
    assert found.circuit == truth


def test_as_many_edges_are_kept_as_are_asked_for_before_dangling_ones_are_dropped():
    task = prompts(llama(), n=4)
    found = replace(QUICK, steps=20, n_edges=30)(task)
    ranked = found.scores.argsort(descending=True, stable=True)[:30].tolist()
    assert found.circuit == Circuit.of(task.graph, [task.graph.edges[i] for i in ranked]).connected()


def test_a_higher_price_leaves_fewer_gates_open():
    task = prompts(llama(), n=4)
    cheap, dear = (
        replace(QUICK, price=FixedPrice(per_edge=p), steps=100)(task).notes["open_gates"] for p in (1e-6, 0.1)
    )
    assert dear < cheap


def test_the_loss_is_the_mean_divergence_in_nats_of_logits_that_are_not_sharpened():
    task = prompts(llama(), n=3)
    gates = torch.rand(5, task.graph.n_edges, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    outputs = task.outputs(mask_from_edge_values(task.graph, gates), task.items)
    got, _ = QUICK.begin(task)._judged(outputs, task.items)
    clean = task.items[:, 0]
    assert float(got) == pytest.approx(float(kl(outputs, task.reference[clean], task.scored[clean]).mean()))


# For compiled models: more samples and smaller steps (`edge_pruning_bounded.py` says why), and multipliers that ascend
# slowly (`SparsityTarget` says why).
COMPILED = EdgePruning(
    steps=300, circuits=64, fresh=2, kept=2, start=4.0, learning_rate=0.05, cool_down=0,
    price=SparsityTarget(rate=0.1, node_rate=0.1),
)  # fmt: skip


@pytest.mark.parametrize(("name", "n_edges"), [("reverse", 11), ("xproportion", 5)])
def test_the_papers_objective_finds_both_of_the_papers_programs(name, n_edges):
    setting = Setting(ablation="zero")
    task = task_of(zoo.compiled(name), setting)
    price = replace(COMPILED.price, edges=1 - n_edges / task.graph.n_edges)
    assert replace(COMPILED, price=price)(task).circuit == certify(task, setting).required


def test_node_masks_reach_their_own_target_too():
    setting = Setting(ablation="zero")
    task = task_of(zoo.compiled("xproportion"), setting)
    price = replace(COMPILED.price, edges=1 - 5 / 32, nodes=2 / 6)
    assert replace(COMPILED, price=price)(task).circuit == certify(task, setting).required
