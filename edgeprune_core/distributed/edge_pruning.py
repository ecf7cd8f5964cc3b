"""Edge pruning with KL by several processes: the steps of `edge_pruning`, each on a share of the items.

All processes hold the same gates, draw the same noise and the same items, and take every size-th of these. What one
process alone would take the mean of, over items and circuits, is here a sum of means with the shares for weights:

    d/d gates  of  mean over all items   =   sum over processes of   share * d/d gates of  mean over its own items,

summed by one all-reduce, to the same bits everywhere; the price of gates is added afterwards, by each. So gates stay
equal without being sent. The weights are sharded, so layers are computed again going back (`recompute`).

A candidate circuit is judged by all, on a share of the list each: the worst coordinate of all decides.
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
from edgeprune_core.engine import live_writers, run
from edgeprune_core.mask import from_edge_values
from edgeprune_core.methods.edge_pruning import EdgePruning, EdgePruningTraining
from edgeprune_core.task import Task
from edgeprune_core.training.checkpoint import finished
from edgeprune_core.training.pathwise import judged


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePruningTogether:
    """method: its settings; `fresh` and `kept` are items of all processes together. group: the processes.

    The task's model is to be of `method.dtype` and sharded over the group (`Group.sharded`).
    """

    method: EdgePruning
    group: Group

    def __call__(self, task: Task) -> Discovery:
        return finished(self.begin(task))

    def begin(self, task: Task) -> TogetherTraining:
        return TogetherTraining(self.method, task, self.group)


class TogetherTraining(EdgePruningTraining):
    def __init__(self, method: EdgePruning, task: Task, group: Group) -> None:
        super().__init__(method, task)
        self.group = group
        _ = self.task.reference  # by all at once, before layers are gathered for a step

    def _backward(self, gates: Float[Tensor, "circuit edge"], rows: Int[Tensor, " item"]) -> None:
        task = self.task
        own, share = self._share(rows)
        items = task.items[rows[own]]
        mask = from_edge_values(task.graph, gates)
        got = _outputs(task, mask, items).to(gates.dtype)
        loss, wrong = judged(task, self.settings, got, items)
        loss = share * loss
        loss.backward()
        for log_alpha in self.gates.log_alphas.values():
            assert log_alpha.grad is not None
            self.group.add(log_alpha.grad)
        everywhere = torch.zeros(len(gates), len(rows), dtype=torch.int32)
        if share > 0:
            everywhere[:, own] = wrong.int()
        self.group.add(everywhere)
        self.pool.learn(rows, everywhere > 0)
        price = self._price()
        price.backward()
        self.loss = loss.detach()
        self.group.add(self.loss)
        self.loss += price.detach()

    def _share(self, rows: Int[Tensor, " item"]) -> tuple[Tensor, float]:
        """Which of these are this process's, and their share of the scored positions.

        Where there are fewer items than processes, those without compute the first, for nothing: all must ask for the
        same layers.
        """
        own = torch.arange(self.group.rank, len(rows), self.group.size)
        if not len(own):
            return torch.zeros(1, dtype=torch.long), 0.0
        scored = self.task.scored[self.task.items[rows][:, 0]].sum(-1).cpu()
        return own, float(scored[own].sum() / scored.sum().clamp_min(1))

    def _accepts(self, circuit: Circuit) -> bool:
        """As `Task.accepts`. All processes take as many items, so that they ask for layers as often."""
        items, size = self.asked.items, self.group.size
        own = torch.arange(self.group.rank, self.group.rank + -(-len(items) // size) * size, size) % len(
            items
        )
        worst = float(self.asked.deviations(circuit, items[own]).max())
        return self.group.largest(math.inf if math.isnan(worst) else worst) <= self.asked.outcome.limit


def _outputs(
    task: Task, mask: Float[Tensor, "circuit reader writer"], items: Int[Tensor, "item 2"]
) -> Float[Tensor, "circuit item place d_out"]:
    """As `Task.outputs`, with layers computed again going back."""
    clean = items[:, 0]
    valid = task.valid[clean]
    return run(
        task.model,
        task.tokens[clean],
        mask,
        task.background(items),
        valid=None if bool(valid.all()) else valid,
        places=None if task.places is None else task.places[clean],
        live=live_writers(mask, task.graph),
        recompute=True,
    )
