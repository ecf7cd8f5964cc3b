"""Random circuits and masks, for invariants about all of them."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import mask_from_edge_values, to_mask
from edgeprune_core.task import Task
from tracrcheck.invariants.subjects import generator_of

SHARES = (0.3, 0.6, 0.9)


def some_circuits(graph: ResidualGraph, seed: int, shares: tuple[float, ...] = SHARES) -> list[Circuit]:
    """One circuit for each expected share of edges kept."""
    draw = generator_of(seed)
    return [circuit_of(graph, torch.rand(graph.n_edges, generator=draw) < share) for share in shares]


def circuit_of(graph: ResidualGraph, on: Bool[Tensor, " edge"]) -> Circuit:
    return Circuit(graph, frozenset(e for e, kept in zip(graph.edges, on.tolist(), strict=True) if kept))


def mask_of(task: Task, *circuits: Circuit) -> Float[Tensor, "circuit reader writer"]:
    return to_mask(circuits, dtype=task.model.dtype)


def some_shares(task: Task, seed: int, n: int = 2) -> Float[Tensor, "circuit reader writer"]:
    """Masks with a random share for every edge."""
    values = torch.rand(n, task.graph.n_edges, generator=generator_of(seed), dtype=torch.float64)
    return mask_from_edge_values(task.graph, values.to(task.model.dtype))


@torch.no_grad()
def mean_margins(task: Task, *circuits: Circuit) -> Float[Tensor, " circuit"]:
    return task.margins(task.outputs(mask_of(task, *circuits), task.items), task.items).mean(1)
