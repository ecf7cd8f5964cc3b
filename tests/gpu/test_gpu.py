"""On a GPU, in the shape of GPT-2 small: what must hold on every device, and how fast it is. `conftest.py`: how to run it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core import trained_models
from edgeprune_core.errors import CheckError
from edgeprune_core.methods import EdgePruning, RandomEdges
from edgeprune_core.training.prices import SparsityTarget
from tests.gpu.checks import CHECKS, FULL, Clock, steps_lower_the_loss_and_every_number_is_one
from tests.gpu.commands import COMMANDS
from tracrcheck.trained import discover, prompts

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_holds(check, device, figures):
    check(device, FULL, figures)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_fifty_steps_lower_the_loss_and_every_number_is_one(dtype, device, figures):
    steps_lower_the_loss_and_every_number_is_one(device, FULL, figures, dtype=dtype)


@pytest.fixture
def gpt2(device):
    try:
        found = trained_models.load_model("gpt2")
    except CheckError as error:
        pytest.skip(f"the weights of gpt2 cannot be had: {error.got}")
    return replace(found, model=found.model.to(device))


def test_what_is_found_in_gpt2_itself_on_ioi_is_nearer_to_it_than_random_edges(gpt2, device, figures):
    lists = prompts.both_lists("ioi", gpt2.tokenizer, n=100, seed=0)
    method = EdgePruning(steps=300, circuits=2, fresh=7, price=SparsityTarget(edges=0.9, warm_up=150))
    clock = Clock(device)

    def found_by(method):
        with discover.alone(gpt2, method, None) as run:
            return discover.discover(run, lists.train, ablation="resample")

    found = found_by(method)
    figures |= clock.read(method.steps, "gpt2 on ioi")
    random = found_by(RandomEdges(keep_fraction=0.1))
    figures |= {"edges": len(found.circuit), "KL": found.kl_mean, "KL of random edges": random.kl_mean}
    assert found.kl_mean < 0.5 * random.kl_mean


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs_there_and_says_the_same_as_on_a_cpu(command, device, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    COMMANDS[command](device.type)
