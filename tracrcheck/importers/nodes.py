"""Circuits of nodes: what node pruning and head pruning find.

Nodes are heads and MLPs. A node that is pruned writes what a cut edge carries, to all its readers; a node that is kept reads
everything. So a set of nodes stands for all edges that its nodes and the embeddings write, and the required nodes are those
that a required edge starts from. A head is one node, whichever of its ports are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge, ResidualGraph


@cache
def nodes_of(graph: ResidualGraph) -> dict[str, tuple[Edge, ...]]:
    """Every head and MLP, in the order in which they write, with the edges that it writes."""
    found: dict[str, list[Edge]] = {str(node): [] for node in graph.nodes}
    for edge in graph.edges:
        if str(edge.writer) in found:
            found[str(edge.writer)].append(edge)
    return {name: tuple(edges) for name, edges in found.items()}


@dataclass(frozen=True, slots=True)
class Nodes:
    """The granularity of nodes, as `importers.granularity.Granularity` has those of coarser edges."""

    @property
    def finest(self) -> bool:
        return False

    def says(self) -> tuple[str, ...]:
        return ("nodes are judged: a head or MLP that is kept writes to all its readers",)

    def members(self, graph: ResidualGraph) -> dict[str, tuple[Edge, ...]]:
        return nodes_of(graph)

    def coarsen(self, circuit: Circuit) -> frozenset[str]:
        """The nodes that an edge of the circuit starts from."""
        return frozenset(str(edge.writer) for edge in circuit) & nodes_of(circuit.graph).keys()

    def expand(self, graph: ResidualGraph, kept: Iterable[str]) -> Circuit:
        """All edges that these nodes and the embeddings write."""
        names = set(kept)
        cut = {edge for name, edges in nodes_of(graph).items() if name not in names for edge in edges}
        return Circuit(graph, frozenset(graph.edges) - cut)
