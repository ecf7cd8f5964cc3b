"""Edge attribution patching (Syed, Rager & Conmy 2023, "Attribution Patching Outperforms Automated Circuit
Discovery", arXiv 2310.10348): edges by the size of their first-order effect on the metric.

The score of an edge is | mean over items of d margin / d mask | at the full circuit (`attribution.py`, their eq. 2), and
the circuit consists of the edges with the highest scores. We differ: the metric is the task's margin (a logit difference for
prompts), never a divergence from the model, whose gradient is zero where nothing is cut; the ablation is the task's; and
if `n_edges` is not given, bisection finds the fewest edges that meet the task's tolerance (`top_edges.py`). Dangling
edges are dropped and not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeprune_core.attribution import margin_gradient
from edgeprune_core.discovery import Discovery
from edgeprune_core.methods.top_edges import discovered
from edgeprune_core.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Eap:
    """n_edges: how many edges to keep, before dangling ones are dropped; None: the fewest within the tolerance.

    items_at_once: per forward and backward pass; changes memory, not the result.
    """

    n_edges: int | None = None
    items_at_once: int = 32

    def __call__(self, task: Task) -> Discovery:
        scores = margin_gradient(task, items_at_once=self.items_at_once).abs()
        passes = -(-len(task.items) // self.items_at_once)
        return discovered(task, scores, self.n_edges, steps=passes)
