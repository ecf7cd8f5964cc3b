"""Finds every faithful circuit within a budget of edges: the search behind `smallest` and `unique`.

The search runs on a few items. That is sound: a circuit that is faithful on the whole list is faithful on any
part of it, so what does not exist on the part does not exist at all. (`certify` checks what is found on the
whole list, and adds the item on which it fails.)

Forward, in the order in which nodes write. A *variant* of a node is one output it can write on the items, over
all circuits inside `permitted`; a *derivation* is one way to get it: which writers' variants it reads through which
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
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import trace
from edgeprune_core.engine.blocks.attention import pattern
from edgeprune_core.engine.blocks.mlp import activate
from edgeprune_core.graph import Edge, Reader, Writer
from edgeprune_core.task import Task

# Outputs closer than this are one variant: well above float64 rounding of sums of order 1-100, well below a tie.
SAME = 1e-11
# Floats per batch of combinations.
BATCH_FLOATS = 4_000_000


class SearchTooLarge(Exception):
    """The search would exceed its limits. The message says where."""


@dataclass(frozen=True)
class Limits:
    """combinations: ways to feed one node; seconds: of one whole search."""

    combinations: int = 3_000_000
    seconds: float = 120.0


@dataclass(frozen=True)
class _Derivation:
    """Reads `demands` (node index -> variant) through `edges`."""

    edges: tuple[Edge, ...]
    demands: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Option:
    """What one writer gives a node: nothing (variant -1), or a variant through some of its ports."""

    variant: int
    ports: tuple[int, ...]


class Node:
    """A writer, or `out`, with all its variants.

    outputs:    `variant item pos column`, differences from the background on the columns it writes.
    bounds:     per variant, a lower bound on the edges into it and below it.
    own:        per variant, the fewest edges into it.
    """

    def __init__(self, index: int, readers: tuple[Reader, ...]) -> None:
        self.index, self.readers = index, readers
        self.columns = torch.empty(0, dtype=torch.long)
        self.outputs = torch.empty(0)
        self.bounds, self.own = np.zeros(1, int), np.zeros(1, int)
        self.feeders: list[Writer] = []
        self.options: list[list[Option]] = []
        self.choices = np.zeros((1, 0), int)  # combination feeder -> option
        self.variant_of = np.zeros(1, int)  # combination -> variant
        self.ways = lru_cache(maxsize=None)(self._ways)

    def _ways(self, variant: int) -> list[_Derivation]:
        """The derivations of a variant, fewest edges first, without those another one replaces."""
        found = []
        for row in np.flatnonzero(self.variant_of == variant):
            chosen = [self.options[f][o] for f, o in enumerate(self.choices[row])]
            edges = tuple(
                Edge(w, self.readers[p]) for w, o in zip(self.feeders, chosen, strict=True) for p in o.ports
            )
            demands = tuple(
                (w.index, o.variant) for w, o in zip(self.feeders, chosen, strict=True) if o.variant >= 0
            )
            found.append(_Derivation(edges, demands))
        return _undominated(found)


class _Variants:
    """The different outputs seen so far; the first of each stands for those that equal it.

    Outputs are looked up by their product with one random vector c, which differs by at most |c|_1 SAME between
    outputs that are one variant: they are in one bin of that width, or in two adjacent ones. Rounding single
    coordinates would not do: they can have any value after a rotation of the stream, and two equal outputs could round apart.
    """

    def __init__(self) -> None:
        self.kept: list[Tensor] = []
        self._bins: dict[int, list[int]] = {}
        self._c = torch.empty(0)

    def number(self, outputs: Float[Tensor, "choice item pos column"]) -> np.ndarray:
        """The variant of each output; new variants are numbered in order."""
        flat = outputs.flatten(1)
        if len(self._c) != flat.shape[1]:
            self._c = torch.randn(flat.shape[1], generator=torch.Generator().manual_seed(0)).to(flat)
        width = max(float(self._c.abs().sum()), 1.0) * SAME
        bins = (flat @ self._c / width).floor().to(torch.int64).numpy()
        _, first, of = np.unique(bins, return_index=True, return_inverse=True)
        guess = np.empty(len(first), int)
        for group in np.argsort(first):
            guess[group] = self._one(outputs[first[group]], int(bins[first[group]]))
        numbers = guess[of]
        near = torch.stack([self.kept[v] for v in guess])[torch.from_numpy(of)]
        for row in np.flatnonzero(((outputs - near).abs().flatten(1) > SAME).any(1).numpy()):
            numbers[row] = self._one(outputs[row], int(bins[row]))
        return numbers

    def _one(self, output: Tensor, place: int) -> int:
        for near in (place, place - 1, place + 1):
            for variant in self._bins.get(near, ()):
                if bool(((output - self.kept[variant]).abs() <= SAME).all()):
                    return variant
        self.kept.append(output)
        self._bins.setdefault(place, []).append(len(self.kept) - 1)
        return len(self.kept) - 1


def faithful_circuits(
    task: Task, permitted: Circuit, items: Tensor, budget: int, limits: Limits
) -> Iterator[Circuit]:
    """Circuits inside `permitted` of at most `budget` edges that are faithful on `items`.

    Yields every smallest one. Larger ones that an exchange (b) would make smaller are left out. Errors: `SearchTooLarge`.
    """
    if task.model.spec.norm != "none" or task.model.spec.gated_mlp:
        raise SearchTooLarge("models with normalisation or gated MLPs are not searched")
    yield from Search(task, permitted, items, budget, limits).circuits()


class Search:
    def __init__(self, task: Task, permitted: Circuit, items: Tensor, budget: int, limits: Limits) -> None:
        self.task, self.graph, self.model = task, task.graph, task.model
        self.items, self.budget, self.limits = items, budget, limits
        self.deadline = time.monotonic() + limits.seconds
        self.valid = task.valid[items[:, 0]]
        self.written = trace(task.model, task.tokens[items[:, 0]], valid=self.valid).writers
        background = task.background(items)
        self.background = torch.zeros_like(self.written) if background is None else background
        self.into: dict[int, list[Writer]] = {}
        for edge in permitted:
            self.into.setdefault(edge.reader.index, []).append(edge.writer)
        self.distance = self._distances(permitted)
        self.nodes: dict[int, Node] = {}

    def _distances(self, permitted: Circuit) -> dict[int, int]:
        """Fewest edges from each writer to `out`."""
        node_of = {r.index: w.index for w in self.graph.writers for r in self.graph.readers_of(w)}
        out_of: dict[int, list[Reader]] = {}
        for edge in permitted:
            out_of.setdefault(edge.writer.index, []).append(edge.reader)
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
        for writer in self.graph.writers:
            if writer.index not in self.distance:
                continue
            node = Node(writer.index, self.graph.readers_of(writer))
            if node.readers:
                self._expand(node, writer)
            else:
                node.columns = torch.arange(self.model.spec.d_model)
                node.outputs = (self.written - self.background)[writer.index][None]
            self.nodes[writer.index] = node
        out = Node(len(self.graph.writers), (self.graph.reader("out"),))
        self._expand(out, None)
        self.nodes[out.index] = out
        for derivation in out.ways(0):
            yield from self._meet(dict(derivation.demands), derivation.edges)

    def _expand(self, node: Node, writer: Writer | None) -> None:
        """All variants of a node, from all variants of what it may read."""
        name = str(writer) if writer else "out"
        self._choose(node, writer, name)
        streams = [self._stream(node, port) for port in range(len(node.readers))]
        columns = self._columns(writer)
        found = _Variants()
        variant_of = np.full(len(node.choices), -1)
        width = sum(base.numel() for base, _ in streams) + self.valid.numel() * (
            len(columns) + self.valid.shape[1]
        )
        for start in range(0, len(node.choices), max(1, BATCH_FLOATS // max(1, width))):
            if time.monotonic() > self.deadline:
                raise SearchTooLarge(f"over {self.limits.seconds:g} s, at {name}")
            part = node.choices[start : start + max(1, BATCH_FLOATS // max(1, width))]
            inputs = [self._mixed(base, given, part) for base, given in streams]
            if writer is None:
                variant_of[start : start + len(part)] = self._verdicts(inputs[0])
                continue
            variant_of[start : start + len(part)] = found.number(self._output(writer, inputs, columns))
        kept = found.kept
        node.variant_of, node.columns = variant_of, columns
        if writer is not None:
            node.outputs = (
                torch.stack(kept) if kept else self.written.new_zeros(0, *self.valid.shape, len(columns))
            )

        edges, bound = self._costs(node, node.choices)
        node.bounds, node.own = np.full(len(kept), 10**6), np.full(len(kept), 10**6)
        if writer is not None:
            np.minimum.at(node.bounds, variant_of, bound)
            np.minimum.at(node.own, variant_of, edges)

    def _choose(self, node: Node, writer: Writer | None, name: str) -> None:
        """All combinations of what the feeders may give, within the budget."""
        feeders = {w.index: w for r in node.readers for w in self.into.get(r.index, ())}
        node.feeders = [w for _, w in sorted(feeders.items())]
        node.options = [self._options(node, w) for w in node.feeders]
        room = self.budget - (self.distance[writer.index] if writer else 0)
        node.choices = np.zeros((1, 0), np.int32)
        for place in range(len(node.options)):
            many = len(node.choices) * len(node.options[place])
            if many > self.limits.combinations:
                raise SearchTooLarge(f"{many} ways to feed {name}, over {self.limits.combinations}")
            left = np.repeat(node.choices, len(node.options[place]), 0)
            right = np.tile(np.arange(len(node.options[place]), dtype=np.int32), len(node.choices))
            choices = np.concatenate([left, right[:, None]], 1)
            node.choices = choices[self._costs(node, choices)[1] <= room]

    def _options(self, node: Node, writer: Writer) -> list[Option]:
        ports = [i for i, r in enumerate(node.readers) if writer in self.into.get(r.index, ())]
        subsets = [s for n in range(1, len(ports) + 1) for s in itertools.combinations(ports, n)]
        variants = range(len(self.nodes[writer.index].outputs))
        return [Option(-1, ()), *(Option(v, s) for v in variants for s in subsets)]

    def _costs(self, node: Node, choices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Edges of each combination, and a lower bound with everything below it."""
        edges, deepest = np.zeros(len(choices), int), np.zeros(len(choices), int)
        for place in range(choices.shape[1]):
            below = self.nodes[node.feeders[place].index].bounds
            options = node.options[place]
            edges += np.array([len(o.ports) for o in options])[choices[:, place]]
            deep = np.array([below[o.variant] if o.variant >= 0 else 0 for o in options])
            deepest = np.maximum(deepest, deep[choices[:, place]])
        return edges, edges + deepest

    def _stream(self, node: Node, port: int) -> tuple[Tensor, list[Tensor]]:
        """What a port sees with every edge cut, and what each option of each feeder adds; both projected."""
        reader = node.readers[port]
        matrix, bias = self._projection(reader)
        n = self.graph.reach[reader.index]
        layers = reader.layer + (1 if reader.kind == "mlp" and not self.graph.parallel_blocks else 0)
        base = (self.background[:n].sum(0) + self.model.weights.b_o[:layers].sum(0)) @ matrix + bias
        given = []
        for writer, options in zip(node.feeders, node.options, strict=True):
            source = self.nodes[writer.index]
            projected = source.outputs @ matrix[source.columns]
            nothing = torch.zeros(1, *projected.shape[1:], dtype=projected.dtype)
            table = torch.cat([projected, nothing])
            given.append(table[[o.variant if port in o.ports else -1 for o in options]])
        return base, given

    def _projection(self, reader: Reader) -> tuple[Tensor, Tensor]:
        w, layer, head = self.model.weights, reader.layer, reader.head
        match reader.port:
            case "q":
                return w.w_q[layer, head], w.b_q[layer, head]
            case "k":
                return w.w_k[layer, head], w.b_k[layer, head]
            case "v":
                return w.w_v[layer, head], w.b_v[layer, head]
        if reader.kind == "mlp":
            used = (w.w_out[layer] != 0).any(1)
            return w.w_in[layer][:, used], w.b_in[layer][used]
        bias = w.unembed.new_zeros(w.unembed.shape[1]) if w.b_unembed is None else w.b_unembed
        return w.unembed, bias

    def _mixed(self, base: Tensor, given: list[Tensor], choices: np.ndarray) -> Tensor:
        stream = base.expand(len(choices), *base.shape)
        for place, table in enumerate(given):
            stream = stream + table[torch.from_numpy(choices[:, place].astype(np.int64))]
        return stream

    def _columns(self, writer: Writer | None) -> Tensor:
        """Residual coordinates on which what a writer writes can differ from its background."""
        w = self.model.weights
        if writer is None:
            return torch.empty(0, dtype=torch.long)
        if not self.task.ablation.within_span:
            return torch.arange(self.model.spec.d_model)
        if writer.kind == "mlp":
            used = (w.w_out[writer.layer] != 0).any(0) | (w.b_out[writer.layer] != 0)
        else:
            used = (w.w_o[writer.layer, writer.head] != 0).any(0)
        return used.nonzero()[:, 0]

    def _output(self, writer: Writer, inputs: list[Tensor], columns: Tensor) -> Tensor:
        """What a node writes beyond its background, on its columns; zero at places that hold no token."""
        spec, w = self.model.spec, self.model.weights
        if writer.kind == "mlp":
            used = (w.w_out[writer.layer] != 0).any(1)
            out = (
                activate(spec, inputs[0]) @ w.w_out[writer.layer][used][:, columns]
                + w.b_out[writer.layer, columns]
            )
        else:
            q, k, v = inputs
            mixed = pattern(spec, q[:, None], k[:, None], self.valid)[:, 0] @ v
            out = mixed @ w.w_o[writer.layer, writer.head][:, columns]
        return (out - self.background[writer.index][..., columns]) * self.valid[..., None]

    def _wanted(self, off: Tensor) -> Tensor:
        """Whether circuits are looked for whose outputs deviate so far: here, faithful ones."""
        return off <= self.task.outcome.limit

    def _verdicts(self, outputs: Tensor) -> np.ndarray:
        """0 for each combination that is wanted, else -1."""
        clean = self.items[:, 0]
        want, scored = self.task.reference[clean], self.task.scored[clean]
        off = self.task.outcome.deviation(outputs, want.expand_as(outputs), scored.expand(outputs.shape[:-1]))
        return np.where(self._wanted(off.amax(1)).numpy(), 0, -1)

    # Backward ------------------------------------------------------------------------------------------

    def _meet(self, demands: dict[int, int], edges: tuple[Edge, ...]) -> Iterator[Circuit]:
        """Circuits in which every demanded node writes its demanded variant."""
        if time.monotonic() > self.deadline:
            raise SearchTooLarge(f"over {self.limits.seconds:g} s, on the way back from out")
        if len(edges) + self._remaining(demands) > self.budget:
            return
        if not demands:
            yield Circuit(self.graph, frozenset(edges))
            return
        latest = max(demands)
        rest = {i: v for i, v in demands.items() if i != latest}
        for derivation in self.nodes[latest].ways(demands[latest]):
            if all(rest.get(i, v) == v for i, v in derivation.demands):
                yield from self._meet({**rest, **dict(derivation.demands)}, edges + derivation.edges)

    def _remaining(self, demands: dict[int, int]) -> int:
        """A lower bound on edges still to come: own edges of every demanded node, or the deepest bound."""
        own = sum(int(self.nodes[i].own[v]) for i, v in demands.items())
        deep = max((int(self.nodes[i].bounds[v]) for i, v in demands.items()), default=0)
        return max(own, deep)


def _undominated(derivations: list[_Derivation]) -> list[_Derivation]:
    """Without those that another one with strictly fewer edges and no other demands replaces. Fewest first."""
    kept: list[tuple[_Derivation, frozenset[tuple[int, int]]]] = []
    for derivation in sorted(derivations, key=lambda d: (len(d.edges), [e.key for e in d.edges])):
        demands = frozenset(derivation.demands)
        if not any(len(k.edges) < len(derivation.edges) and has <= demands for k, has in kept):
            kept.append((derivation, demands))
    return [k for k, _ in kept]
