"""Circuit: a set of edges of one graph, with its algebra and its JSON form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from edgeprune_core.error_codes import user_error
from edgeprune_core.graph import Edge, ResidualGraph

SCHEMA = "edgeprune_core.circuit/1"


@dataclass(frozen=True)
class Circuit:
    """Edges kept; every other edge of `graph` is cut. Equal where graph and edges are."""

    graph: ResidualGraph
    edges: frozenset[Edge]

    @classmethod
    def of(cls, graph: ResidualGraph, edges: Iterable[Edge | str]) -> Circuit:
        """Edges as objects or text; text that is no edge of `graph` raises `CheckError`."""
        return cls(graph, frozenset(e if isinstance(e, Edge) else graph.edge(e) for e in edges))

    @classmethod
    def full(cls, graph: ResidualGraph) -> Circuit:
        return cls(graph, frozenset(graph.edges))

    @classmethod
    def empty(cls, graph: ResidualGraph) -> Circuit:
        return cls(graph, frozenset())

    def __len__(self) -> int:
        return len(self.edges)

    def __iter__(self) -> Iterator[Edge]:
        return iter(sorted(self.edges))

    def __contains__(self, edge: object) -> bool:
        return edge in self.edges

    def __sub__(self, other: Circuit) -> Circuit:
        return Circuit(self._same(other), self.edges - other.edges)

    def __or__(self, other: Circuit) -> Circuit:
        return Circuit(self._same(other), self.edges | other.edges)

    def __and__(self, other: Circuit) -> Circuit:
        return Circuit(self._same(other), self.edges & other.edges)

    def _same(self, other: Circuit) -> ResidualGraph:
        if self.graph != other.graph:
            raise user_error("EP121.circuit", got=other.graph, wanted=self.graph)
        return self.graph

    def without(self, edge: Edge | str) -> Circuit:
        """Errors: EP112, EP113 where it is no edge of the graph."""
        if edge not in self.edges:
            edge = self.graph.edge(str(edge))
        return Circuit(self.graph, self.edges - {edge})

    @property
    def texts(self) -> list[str]:
        """The edges in graph order, as text."""
        return [str(edge) for edge in self]

    @property
    def keep_fraction(self) -> float:
        return len(self) / self.graph.n_edges

    def connected(self) -> Circuit:
        """Without the edges that no path joins to `out`: cutting those changes no output."""
        into: dict[int, list[Edge]] = {}
        for edge in self.edges:
            into.setdefault(edge.reader.index, []).append(edge)
        reached, queue = set(), [self.graph.reader("out")]
        kept: set[Edge] = set()
        while queue:
            reader = queue.pop()
            if reader in reached:
                continue
            reached.add(reader)
            for edge in into.get(reader.index, ()):
                kept.add(edge)
                queue += self.graph.readers_of(edge.writer)
        return Circuit(self.graph, frozenset(kept))

    def to_json(self) -> dict[str, Any]:
        graph = self.graph
        return {
            "schema": SCHEMA,
            "graph": {
                "n_layers": graph.n_layers,
                "n_heads": graph.n_heads,
                "n_kv_heads": graph.n_kv_heads,
                "has_pos": graph.has_pos,
                "parallel_blocks": graph.parallel_blocks,
            },
            "edges": self.texts,
        }

    @classmethod
    def from_json(cls, record: Any) -> Circuit:
        if not isinstance(record, dict) or record.get("schema") != SCHEMA:
            got = record.get("schema", "no schema") if isinstance(record, dict) else type(record).__name__
            raise user_error("EP122.schema", got=got, wanted=SCHEMA)
        try:
            graph = ResidualGraph(**record["graph"])
            edges = record["edges"]
        except (KeyError, TypeError) as error:
            raise user_error("EP122.part", got=repr(error)) from error
        sizes = (graph.n_layers, graph.n_heads, graph.n_kv_heads)
        if not all(isinstance(n, int) and n > 0 for n in sizes) or graph.n_heads % graph.n_kv_heads:
            wanted = "sizes of 1 or more, n_kv_heads a divisor of n_heads"
            raise user_error("EP122.graph", got=record["graph"], wanted=wanted)
        if not isinstance(edges, list) or not all(isinstance(edge, str) for edge in edges):
            wanted = "a list of texts, such as ['tok -> a0.h0.v']"
            raise user_error("EP122.edges", got=edges, wanted=wanted)
        return cls.of(graph, edges)

    def dumps(self) -> str:
        return json.dumps(self.to_json(), indent=2)
