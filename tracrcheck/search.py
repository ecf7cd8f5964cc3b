"""Every faithful circuit of at most so many edges: the search behind `smallest` and `unique`.

The search runs on a few items. That is sound: a circuit that is faithful on the whole list is faithful on any
part of it, so what does not exist on the part does not exist at all. (`certify` checks what is found on the
whole list, and adds the item on which it fails.)

Forward, in the order in which nodes write. A *variant* of a node is one thing it can write on the items, over
all circuits inside `permitted`; a *derivation* is one way to it: which writers' variants it reads through which
edges. Circuits that make a node write the same are merged into one variant, so cost follows distinct functions
and not 2^edges. That two variants of different nodes need the same node to write different things is ignored
here, so there may be variants no circuit has, never the reverse.

Backward from `out`: choose a faithful variant of `out`, then a derivation of it, which demands variants of the
writers it reads; then the latest demanded node, and so on, until only embeddings are demanded. A node can be
demanded in one variant only. Every edge belongs to one reader, so the cost is the sum of the derivations'.

A derivation is dropped only if (a) it cannot be part of a circuit within the budget, by a lower bound: its own
edges, the costliest of its demands' lower bounds, and the distance from the node to `out`; or (b) the same
variant has a derivation with strictly fewer edges whose demands are among its own: exchanging them makes the
circuit strictly smaller and changes nothing else, so a smallest circuit never has it. Faithfulness is not
monotone in the edges, and nothing here assumes that it is.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from edgeprune_core.blocks.attention import heads_output
from edgeprune_core.blocks.mlp import mlp_output
from edgeprune_core.blocks.unembed import unembed
from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge, Reader, Writer
from edgeprune_core.task import Task

# Outputs nearer than this are one variant: float64 rounding of sums of order 1-100 in another order.
SAME = 1e-9
# Floats of one batch of reader inputs.
BATCH_FLOATS = 4_000_000


class SearchTooLarge(Exception):
    """The search would exceed its limits; the message says where."""


@dataclass(frozen=True)
class Limits:
    """combinations: ways to feed one node; seconds: of one whole search."""

    combinations: int = 400_000
    seconds: float = 120.0


@dataclass(frozen=True)
class _Derivation:
    """Reads `demands` (node index -> variant) through `edges`."""

    edges: tuple[Edge, ...]
    demands: tuple[tuple[int, int], ...]


@dataclass
class _Node:
    """A writer, or `out` (index = number of writers), with all its variants."""

    index: int
    readers: tuple[Reader, ...]
    outputs: Tensor | None = None  # variant item pos d_model, as differences from the background
    derivations: list[list[_Derivation]] = field(default_factory=list)
    bounds: list[int] = field(default_factory=list)  # fewest edges below a variant, at least


def faithful_circuits(
    task: Task, permitted: Circuit, items: Tensor, budget: int, limits: Limits = Limits()  # noqa: B008
) -> Iterator[Circuit]:
    """Circuits inside `permitted` of at most `budget` edges, faithful on `items`, with no smaller exchange.

    Yields every smallest one. Errors: `SearchTooLarge`.
    """
    yield from _Search(task, permitted, items, budget, limits).circuits()


class _Search:
    def __init__(self, task: Task, permitted: Circuit, items: Tensor, budget: int, limits: Limits) -> None:
        self.task, self.graph, self.model = task, task.graph, task.model
        self.items, self.budget, self.limits = items, budget, limits
        self.deadline = time.monotonic() + limits.seconds
        self.valid = task.valid[items[:, 0]]
        writers = task._trace.writers
        self.background = task.background(items)
        if self.background is None:
            self.background = torch.zeros_like(writers[:, items[:, 0]])
        self.into: dict[int, list[Writer]] = {}
        for edge in permitted:
            self.into.setdefault(edge.reader.index, []).append(edge.writer)
        self.distance = self._distances(permitted)
        self.nodes: dict[int, _Node] = {}

    def _distances(self, permitted: Circuit) -> dict[int, int]:
        """Fewest edges from each writer to `out`."""
        out_of: dict[int, list[Reader]] = {}
        for edge in permitted:
            out_of.setdefault(edge.writer.index, []).append(edge.reader)
        node_of = {r.index: w.index for w in self.graph.writers for r in self.graph.readers_of(w)}
        distance: dict[int, int] = {}
        for writer in reversed(self.graph.writers):
            steps = [
                1 if r.kind == "out" else 1 + distance[node_of[r.index]]
                for r in out_of.get(writer.index, ())
                if r.kind == "out" or node_of[r.index] in distance
            ]
            if steps:
                distance[writer.index] = min(steps)
        return distance

    # Forward -------------------------------------------------------------------------------------------

    def circuits(self) -> Iterator[Circuit]:
        clean = self.items[:, 0]
        for writer in self.graph.writers:
            if writer.index not in self.distance:
                continue
            readers = self.graph.readers_of(writer)
            node = _Node(writer.index, readers)
            if not readers:
                written = self.task._trace.writers[writer.index, clean]
                node.outputs = (written - self.background[writer.index])[None]
                node.derivations, node.bounds = [[_Derivation((), ())]], [0]
            else:
                self._expand(node, writer)
            self.nodes[writer.index] = node
        out = _Node(len(self.graph.writers), (self.graph.reader("out"),))
        self._expand(out, None)
        self.nodes[out.index] = out
        yield from self._backward(out)

    def _expand(self, node: _Node, writer: Writer | None) -> None:
        """All variants of a node, from all variants of what it may read."""
        feeders = sorted({w.index: w for r in node.readers for w in self.into.get(r.index, ())}.items())
        options = [self._options(node, w) for _, w in feeders]
        total = 1
        for rows in options:
            total *= len(rows)
        name = str(writer) if writer else "out"
        if total > self.limits.combinations:
            raise SearchTooLarge(f"{total} ways to feed {name}, over {self.limits.combinations}")
        room = self.budget - (self.distance[writer.index] if writer else 0)
        combos = [c for c in itertools.product(*options) if sum(o[2] for o in c) + max((o[3] for o in c), default=0) <= room]
        bases = [self._base(reader) for reader in node.readers]
        seen: dict[bytes, int] = {}
        kept: list[Tensor] = []
        size = max(1, BATCH_FLOATS // max(1, bases[0].numel() * 3))
        for start in range(0, len(combos), size):
            if time.monotonic() > self.deadline:
                raise SearchTooLarge(f"over {self.limits.seconds:g} s, at {name}")
            part = combos[start : start + size]
            written = self._written(node, writer, bases, feeders, part)
            if writer is None:
                self._collect_out(node, written, part, feeders)
                continue
            keys = np.ascontiguousarray((written / SAME).round().to(torch.int64).flatten(1).numpy())
            for row, combo in enumerate(part):
                key = keys[row].tobytes()
                if key not in seen:
                    seen[key] = len(node.derivations)
                    node.derivations.append([])
                    kept.append(written[row])
                node.derivations[seen[key]].append(self._derivation(node, feeders, combo))
        if writer is not None:
            node.outputs = torch.stack(kept) if kept else None
            node.derivations = [_undominated(d) for d in node.derivations]
            node.bounds = [min(self._bound(d) for d in ds) for ds in node.derivations]

    def _options(self, node: _Node, writer: Writer) -> list[tuple[int, tuple[int, ...], int, int]]:
        """(variant, ports, edges, bound) for one writer: unused, or a variant through some of the ports."""
        ports = [i for i, r in enumerate(node.readers) if writer in self.into.get(r.index, ())]
        rows: list[tuple[int, tuple[int, ...], int, int]] = [(-1, (), 0, 0)]
        bounds = self.nodes[writer.index].bounds if writer.index in self.nodes else []
        for variant, bound in enumerate(bounds):
            for n in range(1, len(ports) + 1):
                rows += [(variant, chosen, n, bound) for chosen in itertools.combinations(ports, n)]
        return rows

    def _base(self, reader: Reader) -> Tensor:
        """What a reader sees with every edge cut."""
        n = self.graph.reach[reader.index]
        layers = reader.layer + (1 if reader.kind == "mlp" and not self.graph.parallel_blocks else 0)
        return self.background[:n].sum(0) + self.model.weights.b_o[:layers].sum(0)

    def _written(self, node: _Node, writer: Writer | None, bases, feeders, combos) -> Tensor:
        """What the node writes for each combination (differences from the background), or the outputs."""
        streams = [base.expand(len(combos), *base.shape).clone() for base in bases]
        for place, (index, _) in enumerate(feeders):
            variants = self.nodes[index].outputs
            for port, stream in enumerate(streams):
                rows = [r for r, c in enumerate(combos) if port in c[place][1]]
                if rows:
                    stream[rows] += variants[[combos[r][place][0] for r in rows]]
        if writer is None:
            return unembed(self.model, streams[0])
        if writer.kind == "mlp":
            out = mlp_output(self.model, writer.layer, streams[0])
        else:
            q, k, v = (s[:, None] for s in streams)
            kv = node.readers[1].head
            out = heads_output(
                self.model, writer.layer, q, k, v, heads=[writer.head], kv_heads=[kv], valid=self.valid
            )[:, 0]
        return (out - self.background[writer.index]) * self.valid[None, :, :, None]

    def _collect_out(self, node: _Node, written: Tensor, combos, feeders) -> None:
        clean = self.items[:, 0]
        want, scored = self.task.reference[clean], self.task.scored[clean]
        off = self.task.outcome.deviation(written, want.expand_as(written), scored.expand(written.shape[:-1]))
        if not node.derivations:
            node.derivations.append([])
        for row in (off.amax(1) <= self.task.outcome.limit).nonzero()[:, 0].tolist():
            node.derivations[0].append(self._derivation(node, feeders, combos[row]))

    def _derivation(self, node: _Node, feeders, combo) -> _Derivation:
        edges = tuple(
            Edge(w, node.readers[port])
            for (_, w), (_, ports, _, _) in zip(feeders, combo, strict=True)
            for port in ports
        )
        demands = tuple((i, o[0]) for (i, _), o in zip(feeders, combo, strict=True) if o[0] >= 0)
        return _Derivation(edges, demands)

    def _bound(self, derivation: _Derivation) -> int:
        return len(derivation.edges) + max((self.nodes[i].bounds[v] for i, v in derivation.demands), default=0)

    # Backward ------------------------------------------------------------------------------------------

    def _backward(self, out: _Node) -> Iterator[Circuit]:
        for derivations in (out.derivations or [[]])[:1]:
            for derivation in sorted(_undominated(derivations), key=lambda d: len(d.edges)):
                yield from self._meet(dict(derivation.demands), derivation.edges)

    def _meet(self, demands: dict[int, int], edges: tuple[Edge, ...]) -> Iterator[Circuit]:
        """Circuits that make every demanded node write its demanded variant."""
        if time.monotonic() > self.deadline:
            raise SearchTooLarge(f"over {self.limits.seconds:g} s, on the way back from out")
        if len(edges) + self._remaining(demands) > self.budget:
            return
        if not demands:
            yield Circuit(self.graph, frozenset(edges))
            return
        latest = max(demands)
        rest = {i: v for i, v in demands.items() if i != latest}
        ways = self.nodes[latest].derivations[demands[latest]]
        for derivation in ways:
            if all(rest.get(i, v) == v for i, v in derivation.demands):
                yield from self._meet({**rest, **dict(derivation.demands)}, edges + derivation.edges)

    def _remaining(self, demands: dict[int, int]) -> int:
        """A lower bound on edges still to come: own edges of every demanded node, or the deepest bound."""
        own = sum(len(self.nodes[i].derivations[v][0].edges) for i, v in demands.items())
        deep = max((self.nodes[i].bounds[v] for i, v in demands.items()), default=0)
        return max(own, deep)


def _undominated(derivations: list[_Derivation]) -> list[_Derivation]:
    """Without those that another one with strictly fewer edges and no other demands replaces. Fewest first."""
    kept: list[tuple[_Derivation, frozenset[tuple[int, int]]]] = []
    for derivation in sorted(derivations, key=lambda d: (len(d.edges), [e.key for e in d.edges])):
        demands = frozenset(derivation.demands)
        if not any(len(k.edges) < len(derivation.edges) and has <= demands for k, has in kept):
            kept.append((derivation, demands))
    return [k for k, _ in kept]
