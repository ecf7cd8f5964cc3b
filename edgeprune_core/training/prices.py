"""What open gates cost, in units of the divergence: a fixed price, a rising one, or a target for the sparsity.

    fixed:   per_edge * E[number of open edges], and per_node * E[number of open writers] where those have gates;
    rising:  the same, with a price per edge that grows in geometric steps;
    target:  l1 (s - t) + l2 (s - t)^2, with s the expected sparsity of the edges and t its target, which rises linearly
             from 0; the multipliers *ascend* (Bhaskar et al. 2024, arXiv 2406.16778, eq. 4). With node gates, the same
             again for the sparsity of the writers.

A price is a frozen record. Multipliers change while a target is trained towards, so the trainer holds them and writes
them into its checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from edgeprune_core.training.gates import EdgeGates


class Price(Protocol):
    """Only `cost` is needed."""

    @property
    def trains_nodes(self) -> bool:
        """Whether writers have gates too."""
        return False

    def edges_kept(self, n_edges: int) -> int | None:
        """How many of the edges the circuit must have; None where the price leaves that open."""
        return None

    def cost(self, gates: EdgeGates, step: int, multipliers: Tensor) -> Tensor:
        """step: counts from 0. multipliers: four, for edges (l1, l2) and writers (l1, l2)."""
        ...

    def ascend(self, multipliers: Tensor) -> None:
        """Moves the multipliers along the gradient that the last backward pass left on them, and clears it."""
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPrice(Price):
    """per_edge, per_node: in units of the divergence; per_node None trains no node gates."""

    per_edge: float
    per_node: float | None = None

    @property
    def trains_nodes(self) -> bool:
        return self.per_node is not None

    def cost(self, gates: EdgeGates, step: int, multipliers: Tensor) -> Tensor:
        price = self.per_edge * gates.kind.p_kept(gates.edges).sum()
        if gates.nodes is None or self.per_node is None:
            return price
        return price + self.per_node * gates.kind.p_kept(gates.nodes).sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class RisingPrice(Price):
    """A price per edge that stops at each of a geometric series, so that one training passes through every size.

    first, last: in units of the divergence. stops: how many prices. steps: at each of them.
    warm_up:     further steps at the first price.
    """

    first: float = 1e-4
    last: float = 1.0
    stops: int = 28
    steps: int = 40
    warm_up: int = 100

    @property
    def per_stop(self) -> list[float]:
        return geometric(self.first, self.last, self.stops)

    @property
    def total_steps(self) -> int:
        return self.warm_up + self.stops * self.steps

    def stop(self, step: int) -> int:
        """The number of the stop that a step belongs to."""
        return max(0, step - self.warm_up) // self.steps

    def cost(self, gates: EdgeGates, step: int, multipliers: Tensor) -> Tensor:
        return FixedPrice(per_edge=self.per_stop[self.stop(step)]).cost(gates, step, multipliers)


@dataclass(frozen=True, slots=True, kw_only=True)
class SparsityTarget(Price):
    """Sparsities are shares of the edges, or of the writers, that are cut.

    edges: the target. nodes: the target of the writers; None trains no node gates.
    warm_up: steps over which the targets rise from 0.
    rate, node_rate: of the multipliers' ascent, per step and unit of excess. A writer takes its edges along, so few
        gates answer to its multipliers, and they swing where they ascend as fast as those of edges (measured on the
        shipped model). Compiled models have fewer still, and want 0.1 for both: with the defaults and node gates,
        every edge of `xproportion` was cut (measured); without node gates either rate finds its circuit.
    """

    edges: float = 0.9
    nodes: float | None = None
    warm_up: int = 200
    rate: float = 10.0
    node_rate: float = 1.0

    @property
    def trains_nodes(self) -> bool:
        return self.nodes is not None

    def edges_kept(self, n_edges: int) -> int | None:
        return round((1 - self.edges) * n_edges)

    def cost(self, gates: EdgeGates, step: int, multipliers: Tensor) -> Tensor:
        rise = min(1.0, step / max(1, self.warm_up))
        of_edges, of_nodes = gates.sparsity()
        price = _lagrangian(of_edges - rise * self.edges, multipliers[:2])
        if of_nodes is not None and self.nodes is not None:
            price = price + _lagrangian(of_nodes - rise * self.nodes, multipliers[2:])
        return price

    @torch.no_grad()
    def ascend(self, multipliers: Tensor) -> None:
        assert multipliers.grad is not None
        multipliers[:2] += self.rate * multipliers.grad[:2]
        multipliers[2:] += self.node_rate * multipliers.grad[2:]
        multipliers.grad = None


def _lagrangian(excess: Tensor, multipliers: Tensor) -> Tensor:
    return multipliers[0] * excess + multipliers[1] * excess.square()


def geometric(first: float, last: float, n: int) -> list[float]:
    """n numbers from first to last, each the same multiple of the one before."""
    return [first * (last / first) ** (i / max(n - 1, 1)) for i in range(n)]
