"""Run as a program: measures the memory of one training step, as the kernel sees it. Reads cases and writes bytes, both
as JSON. Each case has its own process.

`MALLOC_MMAP_THRESHOLD_` makes malloc give freed tensors back at once, so that pages in use are tensors in use.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from edgeprune_core import task as tasks
from edgeprune_core.ablations import Resample
from edgeprune_core.criterion import Outcome
from edgeprune_core.distributed.edge_pruning import ShardedTraining
from edgeprune_core.distributed.sharded_weights import gathered, unit_of
from edgeprune_core.methods.edge_pruning import EdgePruning
from edgeprune_core.spec import ModelSpec
from edgeprune_core.task import Task
from edgeprune_core.weights import Model, Weights, expected_shapes


class Alone:
    """A process group of one process."""

    size, rank = 1, 0

    def add(self, tensor: Tensor) -> None: ...


@dataclass(eq=False)
class Copies:
    """Hands out units as a group does: gathered in one piece, then copied to their tensors."""

    model: Model
    unit: int | None = None

    def take(self, unit: int) -> dict[str, Tensor]:
        if unit != self.unit:
            self.tensors: dict[str, Tensor] = {}
            parts = unit_of(self.model, unit)
            flat = torch.cat([t.flatten() for t in parts.values()])
            pieces = flat.split([t.numel() for t in parts.values()])
            self.tensors = {
                n: p.view(t.shape).clone() for (n, t), p in zip(parts.items(), pieces, strict=True)
            }
            self.unit = unit
        return self.tensors


def task_of(spec: ModelSpec, *, batch: int, pos: int) -> Task:
    """A model with random weights; random prompts, each with a random corrupted one."""
    draw = torch.Generator().manual_seed(0)
    tensors = {
        name: torch.randn(shape, generator=draw) / (shape[-2] if len(shape) > 1 else 1) ** 0.5
        for name, shape in expected_shapes(spec).items()
    }
    rows = torch.arange(batch)
    return Task(
        name="random",
        model=Model(spec, Weights(**tensors)),
        ablation=Resample(),
        tokens=torch.randint(spec.d_vocab, (2 * batch, pos), generator=draw),
        valid=torch.ones(2 * batch, pos, dtype=torch.bool),
        scored=torch.ones(2 * batch, 1, dtype=torch.bool),
        places=torch.full((2 * batch, 1), pos - 1),
        items=torch.stack([rows, rows + batch], 1),
        outcome=Outcome(categorical=True, criterion="kl", tolerance=0.1),
    )


def step(spec: ModelSpec, case: dict) -> int:
    """The peak memory of one step, in bytes, above what was in use before it."""
    task = task_of(spec, batch=case["batch"], pos=case["pos"])
    method = EdgePruning(steps=1, circuits=case["circuits"], fresh=case["batch"], kept=0)
    if case["gathered"]:
        task = replace(task, model=gathered(task.model, Copies(task.model), task.model.device))
    training = ShardedTraining(method, task, Alone()) if case["recompute"] else method.begin(task)
    _ = training.task.reference
    if case["gathered"]:
        training.task.model.weights.tok.shelf.take(0)
    gc.collect()
    with open("/proc/self/statm") as file:
        before = int(file.read().split()[1]) * resource.getpagesize()
    training.advance()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def measured(case: dict) -> int:
    spec = ModelSpec(**case["spec"])
    group = spec.n_heads // spec.n_kv_heads
    small = {"n_layers": 1, "n_heads": group, "n_kv_heads": 1, "d_model": 8, "d_mlp": 8}
    step(replace(spec, **small), case | {"batch": 2, "pos": 4})  # loads all code, whose memory is not counted
    return step(spec, case)


def in_a_process(work: Callable[[], int]) -> int:
    out, into = os.pipe()
    if os.fork() == 0:
        try:
            os.write(into, str(work()).encode())
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out) as file:
        kibibytes = file.read()
    os.wait()
    return int(kibibytes)


if __name__ == "__main__":
    torch.set_num_threads(1)
    tasks.HELD_BYTES = 0  # as for large models: writer outputs are allocated again in each step
    cases = json.loads(sys.stdin.read())
    sys.stdout.write(
        json.dumps({name: in_a_process(lambda c=case: measured(c)) for name, case in cases.items()})
    )
