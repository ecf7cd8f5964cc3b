"""Restarts near a known circuit C, trained towards the samples that keep the fewest of its edges.

Training from all edges ends where no single edge can be removed, which need not be a smallest circuit: paths that cancel
can only be removed together, and an edge of a longer path may block a shorter one. Such moves are rare in samples, and a
mean over samples hides them. So here sampled circuits are ranked: the best are those within the tolerance on every item
that keep the fewest edges of C. With q the uniform distribution on the best ones (the elites), gates move by

    p  <-  p + rate (E_q[g] - p),

which is the natural gradient of the weighted likelihood in the mean parameters of independent gates: information-
geometric optimisation (Ollivier et al. 2017, JMLR 18, section 2.3), for gates the cross-entropy method (Rubinstein
1999). Gates of C start open, and every sample lacks a few of them at random. If it lacks `off` edges on average, it lacks
exactly a given pair with probability (off/|C|)^2 exp(-off), which is largest for off = 2. Edges that must be removed
together mostly have an end in common, so some samples also close groups of C's edges (node masks likewise gate everything a
node reads; Bhaskar et al. 2024, section 3): all edges into a reader, into the query and key of a head, into a node, or out
of a writer. A sample lacks a single group and nothing else most often where one such event is expected.

A circuit that was wrong on an item once can be no elite, whatever the items of a later step: it is not run again.

Gates outside C are open with probability `outside`. In each step a few randomly chosen nodes that C lacks take part: a
path through one of them can then be found, and steps stay cheap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from edgeprune_core.graph import Edge, ResidualGraph
from edgeprune_core.mask import live_edges
from edgeprune_core.task import Task
from edgeprune_core.training.gates import stratified_uniform
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.score_function import wrong_items


@dataclass(frozen=True, slots=True, kw_only=True)
class EliteSettings:
    """Settings of restarts; none depends on the model or program.

    lacking:   (edges, groups of each kind) that a sample lacks on average; samples alternate between the entries.
    outside:   P(kept) of the gates outside the circuit that take part. nodes: the share of other nodes that takes part.
    per_edge, most: circuits sampled per step: so many per edge of the known circuit, and at most `most`.
    screens:   numbers of items that samples are first run on; only those still right are run on more, and then on all.
    patience:  steps without an improving sample after which the restart gives up; proportionally more where `most`
               limits the samples.
    follow, rate: how many steps follow improving samples, and the step size.
    """

    lacking: tuple[tuple[float, float], ...] = ((2.0, 0.0), (0.5, 0.25), (1.0, 0.5))
    outside: float = 0.75
    nodes: float = 0.3
    per_edge: int = 12
    most: int = 256
    screens: tuple[int, ...] = (4, 12)
    patience: int = 12
    follow: int = 12
    rate: float = 0.3


@dataclass(frozen=True)
class Followed:
    """P(kept) of every gate, or None if no sample kept fewer edges of the known circuit; and the steps taken."""

    p: Float[Tensor, " edge"] | None
    steps: int


def train_by_elites(
    task: Task,
    settings: EliteSettings,
    known: Bool[Tensor, " edge"],
    pool: ItemPool,
    failed: set[bytes],
    *,
    outside: bool,
) -> Followed:
    """Runs one restart.

    failed:  circuits known to be wrong (`_digests`), shared by the restarts of a task; it grows.
    outside: whether gates outside the known circuit take part.
    """
    n = int(known.sum())
    start = torch.where(known, 1.0, settings.outside if outside else 0.0)
    near = _Near(task.graph, known)
    circuits = min(settings.most, settings.per_edge * n)
    patience = math.ceil(settings.patience * settings.per_edge * n / circuits)
    p, steps, idle, followed = start, 0, 0, 0
    while idle < patience and followed < settings.follow:
        gates = _sample(settings, near, p, circuits, pool.generator)
        kept = gates[:, known].sum(1)
        elite = _elites(task, settings, gates, kept < n, pool, failed)
        steps += 1
        if elite.any():
            best = elite & (kept == kept[elite].min())
            p = p + settings.rate * (gates[best].mean(0) - p)
            followed += 1
        else:  # nothing found, or what was found fails on other items
            p, followed, idle = start, 0, idle + 1
    return Followed(p if followed else None, steps)


def _sample(
    settings: EliteSettings, near: _Near, p: Float[Tensor, " edge"], circuits: int, generator: torch.Generator
) -> Float[Tensor, "circuit edge"]:
    turn = torch.tensor(settings.lacking).repeat(circuits // len(settings.lacking) + 1, 1)[:circuits]
    part = near.taking_part(torch.rand(len(near.foreign), generator=generator) < settings.nodes)
    lacking = torch.where(near.known, (turn[:, :1] / near.known.sum()).clamp(max=0.5), 0.0)
    kept = stratified_uniform(circuits, p.shape, generator) < torch.where(part, p, 0.0) * (1 - lacking)
    shut = stratified_uniform(circuits, near.rates.shape, generator) < turn[:, 1:] * near.rates
    return (kept & ~((shut.float() @ near.groups) > 0)).float()


def _elites(
    task: Task,
    settings: EliteSettings,
    gates: Tensor,
    fewer: Bool[Tensor, " circuit"],
    pool: ItemPool,
    failed: set[bytes],
) -> Bool[Tensor, " circuit"]:
    """The circuits with `fewer` edges that are within the tolerance on all items of the step, and never failed before."""
    digests = _digests(task.graph, gates)
    fewer = fewer & torch.tensor([digest not in failed for digest in digests])
    tried, rows = fewer, pool.draw()
    rows = rows[torch.randperm(len(rows), generator=pool.generator)]
    for part in rows.tensor_split(torch.tensor(settings.screens).cumsum(0)):
        if fewer.any() and len(part):
            wrong = wrong_items(task, gates[fewer], part)
            pool.remember_failures(part, wrong)
            fewer = fewer.masked_scatter(fewer, ~wrong.any(1))
    failed.update(digests[i] for i in (tried & ~fewer).nonzero()[:, 0].tolist())
    return fewer


def _digests(graph: ResidualGraph, gates: Tensor) -> list[bytes]:
    """One for each circuit, the same for circuits with the same live edges."""
    live = np.packbits(live_edges(graph, gates > 0).numpy(), axis=1)
    return [blake2b(row.tobytes(), digest_size=16).digest() for row in live]


class _Near:
    """The known circuit's groups of edges, and the nodes it lacks.

    known:   its edges.
    groups:  `group edge`, 1 on members. rates: per group, 1 over the number of groups of its kind.
    foreign: indices of the writers without an edge of the circuit.
    """

    def __init__(self, graph: ResidualGraph, known: Bool[Tensor, " edge"]) -> None:
        self.known = known
        edges = [edge for edge, on in zip(graph.edges, known.tolist(), strict=True) if on]
        place = {edge: row for row, edge in enumerate(graph.edges)}
        rows, rates = [], []
        for kind in _kinds(graph, edges):
            for members in kind:
                row = torch.zeros(graph.n_edges)
                row[[place[edge] for edge in members]] = 1
                rows.append(row)
                rates.append(1 / len(kind))
        self.groups, self.rates = torch.stack(rows), torch.tensor(rates)
        used = {edge.writer.index for edge in edges}
        self.foreign = [w.index for w in graph.writers if w.index not in used]
        self._graph = graph
        self._writers = torch.tensor([edge.writer.index for edge in graph.edges])
        self._readers = torch.tensor([edge.reader.index for edge in graph.edges])

    def taking_part(self, chosen: Bool[Tensor, " foreign"]) -> Bool[Tensor, " edge"]:
        """The edges with both ends in the circuit or among the chosen nodes."""
        on = torch.ones(len(self._graph.writers), dtype=torch.bool)
        on[self.foreign] = chosen
        reads = torch.zeros(len(self._graph.readers), dtype=torch.bool)
        reads[-1] = True
        for writer in self._graph.writers:
            if on[writer.index]:
                reads[[reader.index for reader in self._graph.readers_of(writer)]] = True
        return on[self._writers] & reads[self._readers]


def _kinds(graph: ResidualGraph, edges: list[Edge]) -> list[list[list[Edge]]]:
    """Groups of these edges, by kind: by reader, by the query and key of a head, by node, by writer."""
    kinds: list[list[list[Edge]]] = [[], [], [], []]
    into: dict[int, list[Edge]] = {}
    for edge in edges:
        into.setdefault(edge.reader.index, []).append(edge)
    kinds[0] = list(into.values())
    for writer in graph.writers:
        read = [into.get(reader.index, []) for reader in graph.readers_of(writer)]
        kinds[1].append([edge for ports in read[:2] for edge in ports] if len(read) > 1 else [])
        kinds[2].append([edge for ports in read for edge in ports])
        kinds[3].append([edge for edge in edges if edge.writer == writer])
    return [found for kind in kinds if (found := [members for members in kind if members])]
