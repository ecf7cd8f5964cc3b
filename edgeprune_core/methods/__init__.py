"""The discovery methods by name, each in its default setting. What several share is in `candidates`, `selectors`, `top_edges`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeprune_core.lazy import Lazy, Table, exports

if TYPE_CHECKING:
    from edgeprune_core.methods.acdc import Acdc
    from edgeprune_core.methods.base import Method, Swept
    from edgeprune_core.methods.eap import Eap
    from edgeprune_core.methods.eap_ig import EapIg
    from edgeprune_core.methods.edge_pruning import EdgePruning
    from edgeprune_core.methods.edge_pruning_bounded import EdgePruningBounded
    from edgeprune_core.methods.edge_pruning_score_function import EdgePruningScoreFunction
    from edgeprune_core.methods.exact import Exact
    from edgeprune_core.methods.random_edges import RandomEdges

METHODS: Table[Method] = Table({
    "acdc": Lazy("edgeprune_core.methods.acdc:Acdc"),
    "eap": Lazy("edgeprune_core.methods.eap:Eap"),
    "eap_ig": Lazy("edgeprune_core.methods.eap_ig:EapIg"),
    "eap_ig_activations": Lazy("edgeprune_core.methods.eap_ig:EapIg", path="activations"),
    "edge_pruning": Lazy("edgeprune_core.methods.edge_pruning:EdgePruning"),
    "edge_pruning_bounded": Lazy("edgeprune_core.methods.edge_pruning_bounded:EdgePruningBounded"),
    "edge_pruning_score_function": Lazy(
        "edgeprune_core.methods.edge_pruning_score_function:EdgePruningScoreFunction"
    ),
    "exact": Lazy("edgeprune_core.methods.exact:Exact"),
    "random": Lazy("edgeprune_core.methods.random_edges:RandomEdges"),
})  # fmt: skip

__all__ = [
    "METHODS",
    "Acdc",
    "Eap",
    "EapIg",
    "EdgePruning",
    "EdgePruningBounded",
    "EdgePruningScoreFunction",
    "Exact",
    "Method",
    "RandomEdges",
    "Swept",
]

_HOMES = {
    "acdc": ("Acdc",),
    "base": ("Method", "Swept"),
    "eap": ("Eap",),
    "eap_ig": ("EapIg",),
    "edge_pruning": ("EdgePruning",),
    "edge_pruning_bounded": ("EdgePruningBounded",),
    "edge_pruning_score_function": ("EdgePruningScoreFunction",),
    "exact": ("Exact",),
    "random_edges": ("RandomEdges",),
}  # fmt: skip

__getattr__ = exports(__name__, _HOMES)
