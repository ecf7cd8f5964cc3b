"""Edge pruning in several processes: each computes its share of the items of every step of `edge_pruning`.

All processes hold the same gates and draw the same noise and the same items; each takes every size-th item. The gradient
of the mean over all items is a weighted sum over the processes:

    d/d gates  of  mean over all items   =   sum over processes of   share * d/d gates of  mean over its own items.

One all-reduce computes it, to the same bits everywhere, and each process then adds the price of the gates. So the gates
stay equal without being sent. The weights are sharded, so layers are recomputed in the backward pass (`recompute`).

Candidate circuits are judged by all processes, each on its share of the list: the worst coordinate of all decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.distributed.process_group import Group
from edgeprune_core.mask import mask_from_edge_values
from edgeprune_core.methods.edge_pruning import EdgePruning, EdgePruningTraining
from edgeprune_core.task import Task
from edgeprune_core.training.checkpoint import finished


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardedEdgePruning:
    """method: its settings; `fresh` and `kept` count the items of all processes together. group: the processes.

    The task's model must have `method.dtype` and be sharded over the group (`Group.sharded`).
    """

    method: EdgePruning
    group: Group

    def __call__(self, task: Task) -> Discovery:
        return finished(self.begin(task))

    def begin(self, task: Task) -> ShardedTraining:
        return ShardedTraining(self.method, task, self.group)


class ShardedTraining(EdgePruningTraining):
    def __init__(self, method: EdgePruning, task: Task, group: Group) -> None:
        super().__init__(method, task)
        self.group = group
        _ = self.task.reference  # computed by all processes together, before a step gathers layers

    def _backward(self, gates: Float[Tensor, "circuit edge"], rows: Int[Tensor, " item"]) -> None:
        task = self.task
        own, share = self._share(rows)
        items = task.items[rows[own]]
        mask = mask_from_edge_values(task.graph, gates)
        got = task.outputs(mask, items, edges=self._counted(mask), recompute=True).to(gates.dtype)
        loss, wrong = self._judged(got, items)
        loss = share * loss
        loss.backward()
        for log_alpha in self.gates.log_alphas.values():
            assert log_alpha.grad is not None
            self.group.add(log_alpha.grad)
        everywhere = torch.zeros(len(gates), len(rows), dtype=torch.int32)
        if share > 0:
            everywhere[:, own] = wrong.int()
        self.group.add(everywhere)
        self.pool.remember_failures(rows, everywhere > 0)
        price = self._price()
        price.backward()
        self.loss = loss.detach()
        self.group.add(self.loss)
        self.loss += price.detach()

    def _share(self, rows: Int[Tensor, " item"]) -> tuple[Tensor, float]:
        """Which of these items this process computes, and their share of the scored positions.

        With fewer items than processes, a process without an item computes the first one with weight 0, since all
        processes must read the same layers.
        """
        own = torch.arange(len(rows))[self.group.rank :: self.group.size]
        if not len(own):
            return torch.zeros(1, dtype=torch.long), 0.0
        scored = self.task.scored[self.task.items[rows][:, 0]].sum(-1).cpu()
        return own, float(scored[own].sum() / scored.sum().clamp_min(1))

    def _accepts(self, circuit: Circuit) -> bool:
        """As `Task.accepts`. Every process takes the same number of items, so that all read the same layers."""
        items, size = self.original.items, self.group.size
        own = torch.arange(self.group.rank, self.group.rank + -(-len(items) // size) * size, size) % len(
            items
        )
        worst = float(self.original.deviations(circuit, items[own]).max())
        return self.group.largest(math.inf if math.isnan(worst) else worst) <= self.original.outcome.limit
