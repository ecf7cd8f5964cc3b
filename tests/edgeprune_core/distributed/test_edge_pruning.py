"""Several processes train on one model: they end with the gates that one process finds. If one is killed, the others
report it, and a resumed training ends the same."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch.distributed import fsdp

from edgeprune_core.distributed.edge_pruning import ShardedTraining
from edgeprune_core.distributed.process_group import PATIENCE
from edgeprune_core.errors import CheckError
from edgeprune_core.training import checkpoint
from edgeprune_core.training.checkpoint import finished
from tests.edgeprune_core.distributed.worker import METHOD, task_of

ROOT = Path(__file__).parents[3]
STEP_OF_DEATH = 7

# How far log-alphas may be apart. Sums over items are taken in another order, and softmax by another formula in the pass
# that is computed again: gradients differ by d = n u G, with n = 300 terms, u = 2^-53, and G = 0.1 the largest gradient
# seen: d = 3e-15. Adam's step of rate 0.1 changes by at most 0.1 d / 1e-8 (its epsilon), where a gradient vanishes: over
# 20 steps, 6e-7. The bound is ten times that, because moved gates change later gradients. Measured: 3e-7; gates move by up to 1.8.
APART = 6e-6


@pytest.fixture(scope="module")
def sharding():
    """Skips where torch cannot shard. Only the oldest tested versions cannot; they refuse with EP213 (see below)."""
    if not hasattr(fsdp, "fully_shard"):
        pytest.skip("it needs torch 2.6")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, sharding) -> Path:
    folder = tmp_path_factory.mktemp("together")
    words = [sys.executable, "-m", "tests.edgeprune_core.distributed.worker", str(folder), str(STEP_OF_DEATH)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


def ended(folder: Path, which: str) -> list[tuple[int, int, str]]:
    """Rank, exit code and output of each process, in the order in which they ended."""
    ends = json.loads((folder / "ended.json").read_text())[which]
    return [(end["rank"], end["code"], end["printed"]) for end in ends]


def scores_in(folder: Path) -> list[torch.Tensor]:
    return [load_file(folder / f"{rank}.safetensors")["scores"] for rank in (0, 1)]


def circuits_in(folder: Path) -> list[str]:
    return [(folder / f"{rank}.json").read_text() for rank in (0, 1)]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_process_counts_by_the_scored_positions_of_its_own_items(size):
    """Items of one, two, three and four scored positions: the mean is over positions, not over items."""
    scored = torch.arange(4)[None, :] <= torch.arange(4)[:, None]
    task = SimpleNamespace(scored=scored, items=torch.stack([torch.arange(4)] * 2, 1))
    shares, seen = [], []
    for rank in range(size):
        training = SimpleNamespace(group=SimpleNamespace(rank=rank, size=size), task=task)
        own, share = ShardedTraining._share(training, torch.arange(4))
        shares.append(share)
        seen += own.tolist() if share else []
        assert share == pytest.approx(float(scored[own].sum()) / 10 if share else 0.0)
    assert sorted(seen) == [0, 1, 2, 3]
    assert sum(shares) == pytest.approx(1.0)


def test_two_processes_train_the_gates_that_one_does_on_the_same_items(trained):
    assert sorted(ended(trained, "two")) == [(0, 0, ""), (1, 0, "")]
    alone = finished(METHOD.begin(task_of()))
    first, second = scores_in(trained / "two")
    assert torch.equal(first, second)
    assert (first - alone.scores).abs().max() < APART
    assert (alone.scores - METHOD.start).abs().max() > 1
    assert circuits_in(trained / "two") == [alone.circuit.dumps()] * 2


def test_where_one_is_killed_the_other_says_so_within_a_minute_and_leaves_a_whole_checkpoint(trained):
    (died, code, _), (left, left_code, printed) = ended(trained, "killed")
    assert (died, code, left, left_code) == (1, -signal.SIGKILL, 0, 2)
    assert json.loads((trained / "ended.json").read_text())["killed"][1]["after"] < PATIENCE + 15
    lines = printed.splitlines()
    assert lines[0] == "EP212 another process of this run is gone"
    assert lines[1].startswith("    got     ")
    assert lines[3].endswith("--resume continues from the last one")
    assert len(lines) == 4
    header, _ = checkpoint.read(trained / "left")
    assert header["steps"] == str(STEP_OF_DEATH)


def test_what_is_resumed_ends_in_the_same_bits(trained):
    assert sorted(ended(trained, "resumed")) == [(0, 0, ""), (1, 0, "")]
    for got, want in zip(scores_in(trained / "killed"), scores_in(trained / "two"), strict=True):
        assert torch.equal(got, want)
    assert circuits_in(trained / "killed") == circuits_in(trained / "two")


# The command, as the only process of its group ----------------------------------------------------------------


@pytest.fixture
def one_of_one(monkeypatch, sharding):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for name, value in said.items():
        monkeypatch.setenv(name, value)


WORDS = ["discover", "--task", "ioi", "--method", "tests.tracrcheck.trained_pruners:quick", "--prompts", "6", "--draws", "2"]  # fmt: skip


def test_discover_as_one_process_of_one_finds_and_judges_as_without(call, here, one_of_one):
    shared = call(*WORDS, "--distributed", "--json", "shared.json", "--out", "found", "--checkpoint", "state")
    assert shared.exit_code == 0, shared.output
    alone = call(*WORDS, "--json", "alone.json")
    said = [line for line in shared.stdout.splitlines() if not line.startswith("wrote ")]
    assert said[2:] == alone.stdout.splitlines()[2:]
    documents = [json.loads((here / name).read_text()) for name in ("shared.json", "alone.json")]
    assert documents[0]["circuit"] == documents[1]["circuit"]
    assert documents[0]["asked"] == documents[1]["asked"]
    assert (here / "found" / "circuit.json").exists()
    assert not (here / "state").exists()


def test_a_torch_that_cannot_shard_is_refused(call, monkeypatch):
    monkeypatch.delattr(fsdp, "fully_shard", raising=False)
    result = call(*WORDS, "--distributed")
    assert result.exit_code == 2
    assert "EP213 --distributed does not work with this torch\n    got     torch 2." in result.stderr
    assert "wanted  torch 2.6 or newer" in result.stderr


def test_a_process_that_torchrun_did_not_start_is_refused_with_the_command(call, monkeypatch, sharding):
    monkeypatch.delenv("RANK", raising=False)
    result = call(*WORDS, "--distributed")
    assert result.exit_code == 2
    assert "EP211 this process was not started as one of several" in result.stderr
    assert "do      torchrun --nproc-per-node 2 -m tracrcheck.cli discover --distributed" in result.stderr


def test_a_method_that_cannot_be_shared_is_refused(call, one_of_one):
    result = call("discover", "--task", "ioi", "--method", "eap", "--distributed")
    assert result.exit_code == 2
    assert "TC182 --distributed a method that cannot be shared by several processes" in result.stderr


def test_a_run_of_other_processes_is_not_resumed(trained, tmp_path):
    header, tensors = checkpoint.read(trained / "two" / "state")
    assert "size=2" in header["method.group"]
    checkpoint.write(tmp_path / "state", header | {"method.group": "Group(size=3)"}, tensors)
    with pytest.raises(CheckError, match="EP203"):
        checkpoint._check_same(tmp_path / "state", checkpoint.read(tmp_path / "state")[0], header)


def test_of_several_processes_only_the_first_writes_the_state(tmp_path):
    task = task_of()
    short = replace(METHOD, steps=1, n_edges=5)
    kept = checkpoint.kept(short, task, tmp_path / "state", every_seconds=0, resume=False)
    replace(kept, writes=False)(task)
    assert list(tmp_path.iterdir()) == []
    kept(task)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
