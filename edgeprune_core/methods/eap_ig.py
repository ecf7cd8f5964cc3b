"""Edge attribution patching with integrated gradients (Hanna, Pezzelle & Belinkov 2024, "Have Faith in Faithfulness:
Going Beyond Circuit Overlap When Finding Model Mechanisms", arXiv 2403.17806): as `eap`, with the gradient
averaged along a path, since at the clean input alone it may be zero where the effect of a cut is not.

The score of an edge is | mean over items of (difference it carries) . (1/m) sum_{k=1..m} gradient at point k/m |,
their rule: the clean end is one of the points, the corrupted end is not, and m = 1 is `eap`. (Their code of 2025 takes
k = 0 .. m-1 instead; `attribution.py` has ours.) Two paths:

    inputs       theirs: embeddings from corrupted to clean, everything after them recomputed;
    activations  every edge's share from 0 to 1, so that what every writer sends moves from its ablation to its value,
                 and scores before taking sizes sum to what cutting everything costs, up to an error of order 1/m. We
                 differ from their code, which moves one layer's attention or MLP at a time and adds up all gradients.

The metric, the ablations (under `zero` and `mean` the path starts where embeddings are zero or their mean) and the
choice of edges by score are those of `eap.py`; their paper chooses edges greedily from the output back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from edgeprune_core.attribution import margin_gradient, margin_gradient_along_inputs
from edgeprune_core.discovery import Discovery
from edgeprune_core.methods.top_edges import fewest_edges, top_edges
from edgeprune_core.task import Task

_PATHS: dict[str, Callable[..., Tensor]] = {
    "inputs": margin_gradient_along_inputs,
    "activations": margin_gradient,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EapIg:
    """path: what moves from ablated to clean. steps: m, of the path.

    n_edges, items_at_once: as of `Eap`.
    """

    path: Literal["inputs", "activations"] = "inputs"
    steps: int = 5
    n_edges: int | None = None
    items_at_once: int = 32

    def __call__(self, task: Task) -> Discovery:
        scores = _PATHS[self.path](task, steps=self.steps, items_at_once=self.items_at_once).abs()
        passes = self.steps * -(-len(task.items) // self.items_at_once)
        if self.n_edges is not None:
            return Discovery(circuit=top_edges(task, scores, self.n_edges), scores=scores, steps=passes)
        circuit, tried = fewest_edges(task, scores)
        return Discovery(circuit=circuit, scores=scores, steps=passes, hard_evaluations=tried)
