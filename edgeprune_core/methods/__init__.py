"""The discovery methods by name, each in its default setting."""

from edgeprune_core.methods.base import Method
from edgeprune_core.methods.eap import Eap
from edgeprune_core.methods.edge_pruning import EdgePruning
from edgeprune_core.methods.random_edges import RandomEdges

METHODS: dict[str, Method] = {
    "eap": Eap(),
    "edge_pruning": EdgePruning(),
    "edge_pruning_pathwise": EdgePruning(estimator="pathwise"),
    "random": RandomEdges(),
}

__all__ = ["METHODS", "Eap", "EdgePruning", "Method", "RandomEdges"]
