"""Random edges: the floor every method must clear."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from edgeprune_core.discovery import Discovery
from edgeprune_core.mask import circuit_from_flags
from edgeprune_core.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomEdges:
    """Keeps each edge with probability `keep_fraction` (0 to 1), then drops dangling ones."""

    keep_fraction: float = 0.1

    def __call__(self, task: Task) -> Discovery:
        generator = torch.Generator().manual_seed(task.seed)
        scores = torch.rand(task.graph.n_edges, generator=generator)
        circuit = circuit_from_flags(task.graph, scores < self.keep_fraction)
        return Discovery(circuit=circuit.connected(), scores=-scores)
