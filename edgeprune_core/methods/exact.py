"""Exact single-edge patching: each edge is cut alone from the full model, and everything after it recomputed.

This is what attribution patching approximates (Syed et al. 2023, arXiv 2310.10348; `get_scores_exact` in the code of Hanna
et al. 2024, arXiv 2403.17806). It is slow: it runs the whole list once per edge. The score of an edge is how far the
outputs move, in the task's own terms; the circuit consists of the edges with the highest scores, as in `eap.py`.

We differ: they score an edge by the change of the mean metric; we score it by the deviation of the worst item, since that
judges a circuit, or by the mean deviation. Edges that can replace each other score 0 each and are cut together: exact
scores do not make an exact method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.discovery import Discovery
from edgeprune_core.mask import mask_from_edge_values
from edgeprune_core.methods.top_edges import discovered
from edgeprune_core.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """over: the score is the worst deviation of an item, or the mean. n_edges: as of `Eap`.

    circuits_at_once: masks per run; changes speed and memory, not the result.
    """

    over: Literal["worst", "mean"] = "worst"
    n_edges: int | None = None
    circuits_at_once: int = 16

    def __call__(self, task: Task) -> Discovery:
        scores = self.scores(task)
        return discovered(task, scores, self.n_edges, runs=len(scores))

    def scores(self, task: Task) -> Float[Tensor, " edge"]:
        """How far the outputs move without each edge, in units of the outcome and in the order of `graph.edges`."""
        n, parts = task.graph.n_edges, []
        for cut in torch.arange(n, device=task.model.device).split(self.circuits_at_once):
            kept = torch.ones(len(cut), n, dtype=task.model.dtype, device=task.model.device)
            kept[torch.arange(len(cut)), cut] = 0
            moved = task.deviations(mask_from_edge_values(task.graph, kept))
            parts.append(moved.amax(1) if self.over == "worst" else moved.mean(1))
        return torch.cat(parts)
