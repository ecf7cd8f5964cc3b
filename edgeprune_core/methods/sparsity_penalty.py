"""What the expected number of kept edges costs, in one of two ways.

    price:   penalty * E[number of edges], and node_penalty * E[number of writers] where those have gates;
    target:  l1 (s - t) + l2 (s - t)^2, s the expected sparsity of edges and t its target, which rises linearly from 0;
             the multipliers *ascend* (Bhaskar et al. 2024, arXiv 2406.16778, eq. 4). With node gates the same again of
             writers, and an edge counts as kept where its writer's gate is open too.

`training/pathwise.py` has the same for compiled models; here the multipliers are state that can be kept and read back.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from edgeprune_core.training.gates import HardConcrete


@dataclass(frozen=True, slots=True, kw_only=True)
class SparsityTarget:
    """Sparsities are shares of edges, and of writers, that are cut.

    edges: aimed at. nodes: of writers; None trains no node gates.
    warm_up: steps over which the targets rise from 0.
    rate, node_rate: of the multipliers' ascent, per step and unit of excess. A writer takes its edges along, so few gates
             answer to its multipliers, and they swing where they ascend as fast (measured on the shipped subject).
    """

    edges: float = 0.9
    nodes: float | None = None
    warm_up: int = 200
    rate: float = 10.0
    node_rate: float = 1.0


class Price:
    """In nats, of gates with these log-alphas. writer_of_edge: in the order of `graph.edges`."""

    def __init__(
        self,
        gate: HardConcrete,
        writer_of_edge: Int[Tensor, " edge"],
        *,
        per_edge: float,
        per_node: float = 0.0,
        target: SparsityTarget | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.gate, self.writer_of_edge, self.target = gate, writer_of_edge, target
        self.per_edge, self.per_node = per_edge, per_node
        self.multipliers = torch.zeros(4, dtype=dtype, device=writer_of_edge.device, requires_grad=True)

    def sparsity(
        self, edges: Float[Tensor, " edge"], nodes: Float[Tensor, " writer"] | None
    ) -> tuple[Tensor, Tensor | None]:
        """Expected shares of edges and of writers that are cut."""
        kept = self.gate.p_kept(edges)
        if nodes is None:
            return 1 - kept.mean(), None
        open_nodes = self.gate.p_kept(nodes)
        return 1 - (kept * open_nodes[self.writer_of_edge]).mean(), 1 - open_nodes.mean()

    def __call__(self, edges: Float[Tensor, " edge"], nodes: Tensor | None, step: int) -> Tensor:
        target = self.target
        if target is None:
            price = self.per_edge * self.gate.p_kept(edges).sum()
            return price if nodes is None else price + self.per_node * self.gate.p_kept(nodes).sum()
        rise = min(1.0, step / max(1, target.warm_up))
        of_edges, of_nodes = self.sparsity(edges, nodes)
        price = _lagrangian(of_edges - rise * target.edges, self.multipliers[:2])
        if of_nodes is not None and target.nodes is not None:
            price = price + _lagrangian(of_nodes - rise * target.nodes, self.multipliers[2:])
        return price

    def ascend(self) -> None:
        """Gradient ascent on the multipliers, by what the last backward pass left there."""
        if self.target is None:
            return
        with torch.no_grad():
            assert self.multipliers.grad is not None
            self.multipliers[:2] += self.target.rate * self.multipliers.grad[:2]
            self.multipliers[2:] += self.target.node_rate * self.multipliers.grad[2:]
        self.multipliers.grad = None


def _lagrangian(excess: Tensor, multipliers: Tensor) -> Tensor:
    return multipliers[0] * excess + multipliers[1] * excess.square()
