"""Run as a program: the memory that one real step of training takes, as the kernel saw it. Prints bytes.

`MALLOC_MMAP_THRESHOLD_` makes malloc give freed tensors back at once, so that pages in use are tensors in use.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
from dataclasses import replace

import torch

from edgeprune_core import task as tasks
from edgeprune_core.ablations import Resample
from edgeprune_core.methods.edge_pruning_kl import EdgePruningKl
from edgeprune_core.outcome import Outcome
from edgeprune_core.spec import ModelSpec
from edgeprune_core.task import Task
from edgeprune_core.weights import Model, Weights, expected_shapes


def task_of(spec: ModelSpec, *, batch: int, pos: int) -> Task:
    """Random weights, random prompts, each with another one for its corruption."""
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


def main(asked: dict) -> int:
    tasks.HELD_FLOATS = 0  # as for large models: what writers write is made anew in each step
    spec = ModelSpec(**asked["spec"])
    small = {
        "n_layers": 1,
        "n_heads": spec.n_heads // spec.n_kv_heads,
        "n_kv_heads": 1,
        "d_model": 8,
        "d_mlp": 8,
    }
    train(
        replace(spec, **small), asked | {"batch": 2, "pos": 4}
    )  # loads all code, which is no part of a step
    return train(spec, asked)


def train(spec: ModelSpec, asked: dict) -> int:
    """Bytes at the peak of one step, beyond those held before it."""
    task = task_of(spec, batch=asked["batch"], pos=asked["pos"])
    method = EdgePruningKl(steps=1, circuits=asked["circuits"], fresh=asked["batch"], kept=0)
    _ = task.reference
    gc.collect()
    before = held_now()
    method.trained(task)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def held_now() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    sys.stdout.write(str(main(json.loads(sys.argv[1]))))
