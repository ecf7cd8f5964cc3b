"""Run as a program: pairs of processes that train on the shipped model together, one pair after the other.

All are forked from a process that has loaded everything and computed nothing. In the folder given:
    two/      a training from beginning to end;
    killed/   a training in which process 1 dies in a step, and then its continuation by both.
Each process writes what it found; `ended.json` says how each ended, and how many seconds after the first one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from edgeprune_core.distributed.edge_pruning import ShardedEdgePruning, ShardedTraining
from edgeprune_core.distributed.process_group import Group, joined
from edgeprune_core.errors import CheckError
from edgeprune_core.methods import EdgePruning
from edgeprune_core.task import Task
from edgeprune_core.tasks.prompt_task import prompt_task
from edgeprune_core.trained_models import load_model
from edgeprune_core.training import checkpoint
from tracrcheck.trained import prompts

METHOD = EdgePruning(steps=20, circuits=2, fresh=3, kept=2, dtype=torch.float64)


def task_of() -> Task:
    english = load_model("english")
    pairs = prompts.both_lists("ioi", english.tokenizer, n=8, seed=0).train
    return prompt_task("ioi", english.model, pairs, english.tokenizer).under("resample").to(torch.float64)


def dying_in(step: int, group: Group) -> None:
    """Kills process 1 in this step: after it has computed its layers, before the gradients are added up."""
    whole = ShardedTraining._backward

    def back(self: ShardedTraining, gates: torch.Tensor, rows: torch.Tensor) -> None:
        if self.taken == step and group.rank == 1:
            gates.register_hook(lambda _: os.kill(os.getpid(), signal.SIGKILL))
        whole(self, gates, rows)

    ShardedTraining._backward = back  # type: ignore[method-assign]


def train(folder: Path, how: str, dies_in: int | None) -> None:
    with joined() as group:
        if dies_in is not None:
            dying_in(dies_in, group)
        task = task_of()
        shared = replace(task, model=group.sharded(task.model))
        method = ShardedEdgePruning(method=METHOD, group=group)
        kept = checkpoint.kept(method, shared, folder / "state", every_seconds=0, resume=how == "resume")
        found = replace(kept, writes=group.first)(shared)
    assert found.scores is not None
    save_file({"scores": found.scores}, folder / f"{group.rank}.safetensors")
    (folder / f"{group.rank}.json").write_text(found.circuit.dumps())


def forked(rank: int, port: int, printed: Path, *words) -> int:
    """Forks a process with the environment that torchrun sets. It exits with the codes of a command."""
    if (process := os.fork()) != 0:
        return process
    code = 3
    try:
        os.environ |= {
            "RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        with printed.open("w") as sys.stderr:
            try:
                train(*words)
                code = 0
            except CheckError as error:
                sys.stderr.write(str(error))
                code = 2
            except BaseException:
                traceback.print_exc()
    finally:
        os._exit(code)


def pair(folder: Path, how: str, dies_in: int | None = None) -> list[dict]:
    """How both processes ended, in the order in which they did."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    printed = [folder / f"{how}.{rank}.txt" for rank in (0, 1)]
    rank_of = {forked(rank, port, printed[rank], folder, how, dies_in): rank for rank in (0, 1)}
    ends, first = [], 0.0
    for _ in printed:
        process, status = os.wait()
        first = first or time.monotonic()
        rank = rank_of[process]
        ends.append(
            {
                "rank": rank,
                "code": os.waitstatus_to_exitcode(status),
                "printed": printed[rank].read_text(),
                "after": time.monotonic() - first,
            }
        )
    return ends


def main(folder: Path, step_of_death: int) -> None:
    torch.set_num_threads(1)
    ends = {
        "two": pair(folder / "two", "anew"),
        "killed": pair(folder / "killed", "anew", step_of_death),
    }
    shutil.copy(folder / "killed" / "state", folder / "left")
    ends["resumed"] = pair(folder / "killed", "resume")
    (folder / "ended.json").write_text(json.dumps(ends))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
