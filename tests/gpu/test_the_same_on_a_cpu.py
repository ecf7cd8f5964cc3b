"""The checks of the GPU, run small on a CPU, so that only the device itself is untested. And what no CPU shows: that no
tensor is made on another device than the model's. This is tested on torch's meta device."""

from __future__ import annotations

import pytest
import torch

from edgeprune_core import attribution
from edgeprune_core.attribution import margin_gradient, margin_gradient_along_inputs
from edgeprune_core.methods import EdgePruning, EdgePruningBounded
from edgeprune_core.task import Task
from edgeprune_core.training import gates
from edgeprune_core.training.gates import stratified_uniform
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.pathwise import PathwiseSettings, PathwiseTraining
from edgeprune_core.training.prices import SparsityTarget
from edgeprune_core.training.score_function import ScoreSettings, train_by_score
from edgeprune_core.weights import Model
from tests.gpu.checks import CHECKS, SMALL, random_task, steps_lower_the_loss_and_every_number_is_one
from tests.gpu.commands import COMMANDS

CPU = torch.device("cpu")
# Started in processes of their own, and run on a CPU by the tests of these commands anyway.
ON_A_CPU_ELSEWHERE = {"compare_draws_the_same_curve", "the_gate_is_as_without_a_gpu"}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_must_hold_on_a_gpu_holds_on_a_cpu(check):
    check(CPU, SMALL, {})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_steps_lower_the_loss_on_a_cpu(dtype):
    figures: dict[str, float] = {}
    steps_lower_the_loss_and_every_number_is_one(CPU, SMALL, figures, dtype=dtype)
    assert len(figures) == 2
    assert all(value > 0 for value in figures.values())


# The meta device has no memory. An operation that mixes devices raises there as on a GPU, but values cannot be read.


@pytest.mark.parametrize("command", sorted({*COMMANDS} - ON_A_CPU_ELSEWHERE))
def test_what_commands_do_on_a_gpu_they_do_on_a_cpu(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    COMMANDS[command]("cpu")


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(ON_A_CPU_ELSEWHERE))
def test_what_the_slower_commands_do_on_a_gpu_they_do_on_a_cpu(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    COMMANDS[command]("cpu")


@pytest.fixture
def meta(monkeypatch) -> torch.device:
    """The meta device. What would read values gets ones."""
    monkeypatch.setattr(torch.Tensor, "cpu", lambda x: torch.ones(x.shape, dtype=x.dtype))
    monkeypatch.setattr(Model, "__post_init__", lambda model: None)
    monkeypatch.setattr(Task, "__post_init__", lambda task: None)
    monkeypatch.setattr(attribution, "edge_values", lambda graph, mask: mask)
    monkeypatch.setattr(Task, "_valid", lambda task, clean: None)
    return torch.device("meta")


TRAINERS = {
    "kl": lambda task: steps(EdgePruning(steps=2, circuits=2), task),
    "kl, a target": lambda task: steps(EdgePruning(steps=2, circuits=2, price=SparsityTarget(nodes=0.5)), task),
    "kl, half precision": lambda task: steps(EdgePruning(steps=2, circuits=2, dtype=torch.bfloat16), task),
    "bounded": lambda task: steps(EdgePruningBounded(steps=2, circuits=2), task),
    "score": lambda task: train_by_score(
        task, ScoreSettings(steps=2, circuits=2), torch.full((1, task.graph.n_edges), 2.0), pool(task)
    ),
    "eap": margin_gradient,
    "eap along inputs": lambda task: margin_gradient_along_inputs(task, steps=2),
}  # fmt: skip


def steps(settings: PathwiseSettings, task: Task) -> torch.Tensor:
    if isinstance(settings, EdgePruning):
        training: PathwiseTraining = settings.begin(task)
    else:
        training = PathwiseTraining(settings, task, torch.Generator())
    training.advance()
    training.advance()
    return training.scores()


def pool(task: Task) -> ItemPool:
    return ItemPool(len(task.items), 2, 1, torch.Generator())


@pytest.mark.parametrize("ablation", ["zero", "resample"])
@pytest.mark.parametrize("trainer", TRAINERS)
def test_nothing_is_made_outside_the_models_device(meta, trainer, ablation):
    found = TRAINERS[trainer](random_task(SMALL, meta, ablation))
    if isinstance(found, torch.Tensor):
        assert found.device == meta


def test_what_is_made_outside_the_models_device_is_noticed(meta, monkeypatch):
    def on_the_cpu(*args, device=None, **kwargs):
        return stratified_uniform(*args, **kwargs)

    monkeypatch.setattr(gates, "stratified_uniform", on_the_cpu)
    with pytest.raises(RuntimeError, match="device"):
        TRAINERS["kl"](random_task(SMALL, meta))
