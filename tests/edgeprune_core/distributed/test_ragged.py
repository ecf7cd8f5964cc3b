"""Items with different numbers of scored positions, split between processes: how each process weighs its share of the
mean. No process is started."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch

from edgeprune_core.distributed.edge_pruning import ShardedTraining
from edgeprune_core.mask import mask_from_edge_values
from edgeprune_core.methods import EdgePruning
from tracrcheck.invariants.subjects import small


@dataclass
class Alone:
    """A process group whose other processes do not exist."""

    rank: int
    size: int


def ragged():
    task = small("gpt2", 0).tasks["resample"]
    counts = task.valid.sum(1)
    assert len(set(counts.tolist())) > 1
    return replace(task, scored=task.valid)


@pytest.mark.parametrize("size", [2, 3, 20])
def test_the_shares_of_all_processes_add_up_to_the_mean_over_all_scored_positions(size):
    task, settings = ragged(), EdgePruning(steps=1, circuits=2, dtype=torch.float64)
    rows = torch.arange(len(task.items))[:9]
    gates = torch.rand(2, task.graph.n_edges, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mask, total, taken = mask_from_edge_values(task.graph, gates), 0.0, []
    for rank in range(size):
        training = ShardedTraining(settings, task, Alone(rank, size))
        own, share = training._share(rows)
        items = task.items[rows[own]]
        total += share * float(training._judged(task.outputs(mask, items), items)[0])
        taken += own.tolist() if share else []
    assert sorted(taken) == list(range(9))
    whole = task.items[rows]
    want = float(training._judged(task.outputs(mask, whole), whole)[0])
    assert total == pytest.approx(want, rel=1e-9)
