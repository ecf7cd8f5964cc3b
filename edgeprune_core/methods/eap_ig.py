"""Edge attribution patching with integrated gradients (Hanna, Pezzelle & Belinkov 2024, "Have Faith in Faithfulness:
Going Beyond Circuit Overlap When Finding Model Mechanisms", arXiv 2403.17806): `eap` with the gradient averaged along
a path, since at the clean input it may be zero although cutting the edge has an effect.

The score of an edge is | mean over items of (difference it carries) . (1/m) sum_{k=1..m} gradient at point k/m |,
as in the paper: the clean end is one of the points, the corrupted end is not, and m = 1 is `eap`. (Their code of 2025 takes
k = 0 .. m-1 instead; `attribution.py` has ours.) Two paths:

    inputs       theirs: embeddings from corrupted to clean, everything after them recomputed;
    activations  every edge's share from 0 to 1, so that what every writer sends moves from its ablation to its value;
                 signed scores then sum to the cost of cutting everything, up to an error of order 1/m. We differ from
                 their code, which moves one layer's attention or MLP at a time and sums all gradients.

The metric, the ablations (under `zero` and `mean` the path starts at zero or mean embeddings) and the choice of edges by
score are those of `eap.py`; the paper chooses edges greedily from the output back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from edgeprune_core.attribution import margin_gradient, margin_gradient_along_inputs
from edgeprune_core.discovery import Discovery
from edgeprune_core.methods.top_edges import discovered
from edgeprune_core.task import Task

_PATHS: dict[str, Callable[..., Tensor]] = {
    "inputs": margin_gradient_along_inputs,
    "activations": margin_gradient,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EapIg:
    """path: what moves from ablated to clean. steps: m, the number of points on the path.

    n_edges, items_at_once: as of `Eap`.
    """

    path: Literal["inputs", "activations"] = "inputs"
    steps: int = 5
    n_edges: int | None = None
    items_at_once: int = 32

    def __call__(self, task: Task) -> Discovery:
        scores = _PATHS[self.path](task, steps=self.steps, items_at_once=self.items_at_once).abs()
        passes = self.steps * -(-len(task.items) // self.items_at_once)
        return discovered(task, scores, self.n_edges, steps=passes)
