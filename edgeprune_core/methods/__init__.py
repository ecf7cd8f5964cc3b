"""The discovery methods by name, each in its default setting."""

from edgeprune_core.methods.acdc import Acdc
from edgeprune_core.methods.base import Method, Swept
from edgeprune_core.methods.eap import Eap
from edgeprune_core.methods.eap_ig import EapIg
from edgeprune_core.methods.edge_pruning import EdgePruning
from edgeprune_core.methods.edge_pruning_bounded import EdgePruningBounded
from edgeprune_core.methods.edge_pruning_score_function import EdgePruningScoreFunction
from edgeprune_core.methods.exact import Exact
from edgeprune_core.methods.random_edges import RandomEdges

METHODS: dict[str, Method] = {
    "acdc": Acdc(),
    "eap": Eap(),
    "eap_ig": EapIg(),
    "eap_ig_activations": EapIg(path="activations"),
    "edge_pruning": EdgePruning(),
    "edge_pruning_bounded": EdgePruningBounded(),
    "edge_pruning_score_function": EdgePruningScoreFunction(),
    "exact": Exact(),
    "random": RandomEdges(),
}

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
