"""Granularity: how finely a tool distinguishes edges.

Ours is the finest: token and position embeddings are separate writers, and a head has separate readers for query, key
and value. An edge of a coarser tool stands for several of ours, its *members*:

    a coarse edge kept      all its members are kept
    a coarse truth          the coarse edges of which some member is required
    an edge it cannot cut   always kept, and no part of the truth

Coarse edges have our names, with `tok+pos` for merged embeddings and `a0.h0` for a head that reads all three through
one edge: `tok+pos -> a3.h0.v`, `m0 -> a1.h0`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge, ResidualGraph
from tracrcheck.error_codes import user_error

# How a tool treats the embeddings: as two writers; as one; token embeddings only, with positions always kept; or none,
# with both always kept.
Embeddings = Literal["apart", "merged", "tokens_only", "always_kept"]

MERGED = "tok+pos"
_ALWAYS: dict[Embeddings, tuple[str, ...]] = {"tokens_only": ("pos",), "always_kept": ("tok", "pos")}
_WORDS: dict[Embeddings, str] = {
    "merged": "token and position embeddings are one writer, `tok+pos`",
    "tokens_only": "the position embedding cannot be cut: its edges are always kept and not judged",
    "always_kept": "no embedding can be cut: their edges are always kept and not judged",
}


class Level(Protocol):
    """What a tool keeps or cuts, each thing by its name: edges of some granularity, or nodes."""

    @property
    def finest(self) -> bool: ...

    def says(self) -> tuple[str, ...]: ...

    def members(self, graph: ResidualGraph) -> dict[str, tuple[Edge, ...]]: ...

    def coarsen(self, circuit: Circuit) -> frozenset[str]: ...

    def expand(self, graph: ResidualGraph, kept: Iterable[str]) -> Circuit: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Granularity:
    embeddings: Embeddings = "apart"
    merged_qkv: bool = False

    @property
    def finest(self) -> bool:
        """Whether it is our own granularity."""
        return self == Granularity()

    def says(self) -> tuple[str, ...]:
        """How it differs from ours, in words."""
        words = [_WORDS[self.embeddings]] if self.embeddings in _WORDS else []
        return (*words, *(["a head's q, k and v are one reader"] if self.merged_qkv else []))

    def coarse(self, edge: Edge) -> str | None:
        """The coarse edge that this one belongs to; None if it is always kept."""
        writer, reader = str(edge.writer), str(edge.reader)
        if writer in _ALWAYS.get(self.embeddings, ()):
            return None
        if self.embeddings == "merged" and edge.writer.kind in ("tok", "pos"):
            writer = MERGED
        if self.merged_qkv and edge.reader.port:
            reader = f"a{edge.reader.layer}.h{edge.reader.head}"
        return f"{writer} -> {reader}"

    def members(self, graph: ResidualGraph) -> dict[str, tuple[Edge, ...]]:
        """Every coarse edge, in the order of `graph.edges`. Errors: TC134."""
        if self.merged_qkv and graph.n_kv_heads != graph.n_heads:
            raise user_error("TC134", got=f"{graph.n_heads} heads, {graph.n_kv_heads} of keys and values")
        found: dict[str, list[Edge]] = {}
        for edge in graph.edges:
            if (name := self.coarse(edge)) is not None:
                found.setdefault(name, []).append(edge)
        return {name: tuple(edges) for name, edges in found.items()}

    def coarsen(self, circuit: Circuit) -> frozenset[str]:
        """The coarse edges with a member in the circuit."""
        return frozenset(name for edge in circuit if (name := self.coarse(edge)) is not None)

    def expand(self, graph: ResidualGraph, kept: Iterable[str]) -> Circuit:
        """All members of these coarse edges, and the edges that are always kept."""
        members = self.members(graph)
        always = [edge for edge in graph.edges if self.coarse(edge) is None]
        return Circuit.of(graph, [*always, *(edge for name in kept for edge in members[name])])
