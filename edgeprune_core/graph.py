"""ResidualGraph: writers, readers and the edges between them; and their text form, `a1.h0 -> a2.h3.q`.

Writers, in the order in which they write: `tok`, `pos` (learned positions only), then per layer its heads
`a{l}.h{i}` and its MLP `m{l}`. Readers, in the order in which they read: per layer `a{l}.h{i}.q` of every
head, `.k` and `.v` of every key/value head, `m{l}`; last `out`. A reader may read every writer that wrote
before it, so what it may read is a *prefix* of the writers: `reach[reader]` is its length.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgeprune_core.error_codes import unknown_name, user_error
from edgeprune_core.spec import ModelSpec

NodeKind = Literal["tok", "pos", "head", "mlp", "out"]
Port = Literal["q", "k", "v", ""]

# Graphs with more edges are large: methods, the size of a circuit and drawings have other defaults there.
LARGE = 10_000

_EDGE = re.compile(r"^\s*(\S+)\s*->\s*(\S+)\s*$")


@dataclass(frozen=True, slots=True)
class Writer:
    """What adds to the residual stream. `index` is its place among the graph's writers."""

    kind: NodeKind
    layer: int
    head: int
    index: int

    def __str__(self) -> str:
        return _name(self.kind, self.layer, self.head)


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads the residual stream. For `k` and `v`, `head` counts key/value heads."""

    kind: NodeKind
    layer: int
    head: int
    port: Port
    index: int

    def __str__(self) -> str:
        name = _name(self.kind, self.layer, self.head)
        return f"{name}.{self.port}" if self.port else name


def parse_edge(text: str) -> tuple[str, str]:
    """The names of the writer and the reader. Errors: EP112."""
    if not (match := _EDGE.match(text)):
        raise user_error("EP112", got=repr(text))
    return match[1], match[2]


@dataclass(frozen=True, slots=True)
class Edge:
    writer: Writer
    reader: Reader

    def __str__(self) -> str:
        return f"{self.writer} -> {self.reader}"

    @property
    def key(self) -> tuple[int, int]:
        """Reader first, then writer: the order in which edges are listed and printed."""
        return self.reader.index, self.writer.index

    def __lt__(self, other: Edge) -> bool:
        return self.key < other.key


def _name(kind: NodeKind, layer: int, head: int) -> str:
    match kind:
        case "head":
            return f"a{layer}.h{head}"
        case "mlp":
            return f"m{layer}"
        case _:
            return kind


@dataclass(frozen=True)
class ResidualGraph:
    """All edges a model of this shape has. Two graphs are equal where their specs give the same edges."""

    n_layers: int
    n_heads: int
    n_kv_heads: int
    has_pos: bool = True
    parallel_blocks: bool = False

    @classmethod
    @functools.lru_cache(maxsize=64)
    def of(cls, spec: ModelSpec) -> ResidualGraph:
        """The same object for equal specs: what it caches is computed once, and every run of a model reads it."""
        return cls(
            spec.n_layers, spec.n_heads, spec.n_kv_heads, spec.positions == "learned", spec.parallel_blocks
        )

    @functools.cached_property
    def writers(self) -> tuple[Writer, ...]:
        rows: list[tuple[NodeKind, int, int]] = [("tok", -1, -1)]
        if self.has_pos:
            rows.append(("pos", -1, -1))
        for layer in range(self.n_layers):
            rows += [("head", layer, head) for head in range(self.n_heads)]
            rows.append(("mlp", layer, -1))
        return tuple(Writer(*row, index) for index, row in enumerate(rows))

    @functools.cached_property
    def readers(self) -> tuple[Reader, ...]:
        rows: list[tuple[NodeKind, int, int, Port]] = []
        for layer in range(self.n_layers):
            rows += [("head", layer, head, "q") for head in range(self.n_heads)]
            rows += [("head", layer, head, "k") for head in range(self.n_kv_heads)]
            rows += [("head", layer, head, "v") for head in range(self.n_kv_heads)]
            rows.append(("mlp", layer, -1, ""))
        rows.append(("out", self.n_layers, -1, ""))
        return tuple(Reader(*row, index) for index, row in enumerate(rows))

    @functools.cached_property
    def reach(self) -> tuple[int, ...]:
        """For each reader, how many of the writers (a prefix) it may read."""
        return tuple(self._before(reader) for reader in self.readers)

    def _before(self, reader: Reader) -> int:
        first = self.n_embeddings + reader.layer * (self.n_heads + 1)
        own_heads = self.n_heads if reader.kind == "mlp" and not self.parallel_blocks else 0
        return first + own_heads

    @functools.cached_property
    def nodes(self) -> tuple[Writer, ...]:
        """The heads and MLPs."""
        return self.writers[self.n_embeddings :]

    @property
    def n_embeddings(self) -> int:
        return 2 if self.has_pos else 1

    @property
    def readers_per_layer(self) -> int:
        return self.n_heads + 2 * self.n_kv_heads + 1

    @property
    def n_edges(self) -> int:
        return sum(self.reach)

    @functools.cached_property
    def edges(self) -> tuple[Edge, ...]:
        return tuple(self._each_edge())

    def _each_edge(self) -> Iterator[Edge]:
        for reader, reach in zip(self.readers, self.reach, strict=True):
            for writer in self.writers[:reach]:
                yield Edge(writer, reader)

    @functools.cached_property
    def _writer_named(self) -> dict[str, Writer]:
        return {str(w): w for w in self.writers}

    @functools.cached_property
    def _reader_named(self) -> dict[str, Reader]:
        return {str(r): r for r in self.readers}

    def readers_of(self, writer: Writer) -> tuple[Reader, ...]:
        """The ports through which this writer's own node reads; none for embeddings."""
        if writer.kind == "mlp":
            return (self._reader_named[f"m{writer.layer}"],)
        if writer.kind == "head":
            kv = writer.head // (self.n_heads // self.n_kv_heads)
            q = self._reader_named[f"a{writer.layer}.h{writer.head}.q"]
            return (q, *(self._reader_named[f"a{writer.layer}.h{kv}.{port}"] for port in "kv"))
        return ()

    def writer(self, name: str) -> Writer:
        try:
            return self._writer_named[name]
        except KeyError:
            raise unknown_name("EP111", name, self._writer_named, kind="writer") from None

    def reader(self, name: str) -> Reader:
        try:
            return self._reader_named[name]
        except KeyError:
            raise unknown_name("EP111", name, self._reader_named, kind="reader") from None

    def edge(self, text: str) -> Edge:
        """Parses `writer -> reader`; the inverse of `str(edge)`."""
        writer, reader = parse_edge(text)
        edge = Edge(self.writer(writer), self.reader(reader))
        if edge.writer.index >= self.reach[edge.reader.index]:
            raise user_error("EP113", got=edge, edge=edge)
        return edge
