"""The gates: random variables in [0, 1], one per edge (or node), each with a parameter log_alpha.

Hard-concrete gates (Louizos et al. 2018, arXiv 1712.01312, eqs. 10-12), as used for edges by Bhaskar et al.
2024 (arXiv 2406.16778, section 3). With u uniform on (0, 1), temperature b and limits l < 0 < 1 < r:

    s = sigmoid((logit(u) + log_alpha) / b)        z = min(1, max(0, s (r - l) + l))

logit(u) is logistic noise L, and s <= t exactly where L <= b logit(t) - log_alpha. So with z = 0 where
s <= -l/(r-l) and z = 1 where s >= (1-l)/(r-l):

    P(z = 0) = sigmoid(b log(-l/r) - log_alpha)
    P(z = 1) = sigmoid(log_alpha - b log((1-l)/(r-1)))

and the expected L0 norm is the sum of 1 - P(z = 0) (eq. 12).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

# u is kept this far from 0 and 1, so that logit(u) is finite in float32.
MARGIN = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class HardConcrete:
    """temperature, low, high: b, l and r above; the defaults are those of both papers."""

    temperature: float = 2 / 3
    low: float = -0.1
    high: float = 1.1

    def sample(self, log_alpha: Float[Tensor, "*axes"], u: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
        """Gates for uniform noise `u`; differentiable in `log_alpha` where 0 < z < 1."""
        u = u.clamp(MARGIN, 1 - MARGIN)
        return self._stretch((torch.logit(u) + log_alpha) / self.temperature)

    def mean_gate(self, log_alpha: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
        """The gate without noise (eq. 13), for use after training."""
        return self._stretch(log_alpha)

    def _stretch(self, x: Tensor) -> Tensor:
        return (torch.sigmoid(x) * (self.high - self.low) + self.low).clamp(0, 1)

    def p_zero(self, log_alpha: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
        return torch.sigmoid(self.temperature * math.log(-self.low / self.high) - log_alpha)

    def p_one(self, log_alpha: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
        return torch.sigmoid(log_alpha - self.temperature * math.log((1 - self.low) / (self.high - 1)))

    def p_kept(self, log_alpha: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
        """P(z > 0): the gate's contribution to the expected L0 norm."""
        return 1 - self.p_zero(log_alpha)


@dataclass(frozen=True, eq=False)
class EdgeGates:
    """The gates of a task in training. With node gates, an edge's gate is multiplied by its writer's gate.

    edges, nodes: log-alphas; nodes None: writers have no gates. writer_of_edge: indices, in the order of `graph.edges`.
    """

    kind: HardConcrete
    edges: Float[Tensor, " edge"]
    nodes: Float[Tensor, " writer"] | None
    writer_of_edge: Int[Tensor, " edge"]

    @property
    def log_alphas(self) -> dict[str, Tensor]:
        """What is trained, by name."""
        return {"edges": self.edges} if self.nodes is None else {"edges": self.edges, "nodes": self.nodes}

    def sample(self, circuits: int, generator: torch.Generator) -> Float[Tensor, "circuit edge"]:
        of_edges, *of_nodes = (
            self.kind.sample(
                x, stratified_uniform(circuits, x.shape, generator, dtype=x.dtype, device=x.device)
            )
            for x in self.log_alphas.values()
        )
        for gates in of_nodes:
            of_edges = of_edges * gates[:, self.writer_of_edge]
        return of_edges

    def scores(self) -> Float[Tensor, " edge"]:
        """Edges with larger scores are kept longer: an edge scores the lower of its own and its writer's log-alpha."""
        if self.nodes is None:
            return self.edges.detach()
        return torch.minimum(self.edges, self.nodes[self.writer_of_edge]).detach()

    def sparsity(self) -> tuple[Tensor, Tensor | None]:
        """The expected shares of edges and of writers that are cut."""
        kept = self.kind.p_kept(self.edges)
        if self.nodes is None:
            return 1 - kept.mean(), None
        open_nodes = self.kind.p_kept(self.nodes)
        return 1 - (kept * open_nodes[self.writer_of_edge]).mean(), 1 - open_nodes.mean()


def stratified_uniform(
    circuits: int,
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> Float[Tensor, "circuit *gates"]:
    """Stratified uniform noise: each gate has one circuit in each stratum [j/n, (j+1)/n), in a random order.

    Each entry is uniform. The number of circuits in which a gate is closed differs from its expectation by less than
    one (Latin hypercube sampling, McKay et al. 1979; two circuits are antithetic pairs). The noise is drawn on the generator's device, so a seed gives the
    same noise on every device.
    """
    order = _ordered(torch.rand(circuits, *shape, generator=generator))
    return ((order + torch.rand(circuits, *shape, generator=generator)) / circuits).to(device, dtype)


def _ordered(noise: Float[Tensor, "circuit *gates"]) -> Int[Tensor, "circuit *gates"]:
    """As `argsort(0)`, and faster: sorts integers made of the noise, which has 24 bits, and the number of the circuit."""
    circuits = len(noise)
    keys = (noise.view(circuits, noise.shape[1:].numel()).T.numpy() * 2.0**24).astype(
        np.int64
    ) * circuits + np.arange(circuits)
    keys.sort(axis=1)
    return torch.from_numpy(np.ascontiguousarray(keys.T) % circuits).view(noise.shape)
