"""How a model's margin changes with each edge, to first order.

The engine gives reader r the input  x_r = background + sum_w mask[r, w] (out_w - background_w), so with every edge
kept

    d margin / d mask[r, w]  =  (out_w - background_w) . d margin / d x_r:

the difference that the edge carries beyond its ablation, times the gradient at the clean input. That is what
attribution patching computes edge by edge (Nanda 2023; Syed et al. 2023, arXiv 2310.10348, eq. 2, there for cutting,
with the other sign), for whatever ablation the task has.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.mask import edge_values, to_mask
from edgeprune_core.task import Task


def margin_gradient(task: Task, *, items_at_once: int = 32) -> Float[Tensor, " edge"]:
    """The mean over items of d margin / d mask at the full circuit, in the order of `graph.edges`."""
    mask = to_mask(Circuit.full(task.graph), dtype=task.model.dtype, device=task.model.device)
    mask.requires_grad_()
    total = torch.zeros_like(mask)
    for items in task.items.split(items_at_once):
        with torch.enable_grad():
            margins = task.margins(task.outputs(mask, items), items)
            (gradient,) = torch.autograd.grad(margins.sum(), mask)
        total += gradient
    return edge_values(task.graph, total)[0] / len(task.items)
