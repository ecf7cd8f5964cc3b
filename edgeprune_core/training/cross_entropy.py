"""Restarts near a circuit, trained towards the samples that do with fewest of its edges.

Training from all edges ends where no edge can go by itself, which need not be a smallest circuit: paths that cancel
go only together, and a shorter way may be shut by an edge of the longer one. Such moves are rare in samples, and
a mean over samples does not see them. So here each sampled circuit is ranked instead: best are those within the
tolerance on every item that keep fewest edges of the known circuit C. With q the equal weights on the best ones (the
elites), gates move by

    p  <-  p + rate (E_q[g] - p),

which is the natural gradient of the weighted likelihood in the mean parameters of independent gates: information-
geometric optimisation (Ollivier et al. 2017, JMLR 18, section 2.3), for gates the cross-entropy method (Rubinstein
1999). Gates of C start open, and every sample lacks a few of them at random. Lacking `off` of them on average, it lacks
a given pair with probability (off/|C|)^2 exp(-off) and nothing else: most for off = 2. What goes together mostly belongs
together, so some samples shut groups of C's edges as well, as node masks are gates on all that a node reads (Bhaskar
et al. 2024, section 3): all that a reader reads, that the query and key of a head read, that a node reads, or that a
writer writes. A single group is lacking, and nothing else, most often where one event is expected.

Gates outside of C are open with probability `outside`. Of the nodes that C does not have, a few take part in a step,
drawn anew each time: a way through one of them is found when it is there, and a step stays cheap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from edgeprune_core.graph import Edge, ResidualGraph
from edgeprune_core.task import Task
from edgeprune_core.training.gates import stratified_uniform
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.score_function import wrong_items


@dataclass(frozen=True, slots=True, kw_only=True)
class EliteSettings:
    """Settings of restarts; none depends on the model or program.

    lacking:   (edges, groups of each kind) that a sample lacks on average; samples take turns.
    outside:   P(kept) of all other gates, where they take part; nodes: share of other nodes that does, in a step.
    per_edge, most: circuits sampled a step, for each edge of the known circuit, and at most.
    screens:   items that a sample is run on at first; those that seem better are run on more, and then on all.
    patience:  steps without a sample that does with fewer edges, after which none is expected; more in proportion where
               `most` cuts a step short.
    follow, rate: steps that follow such samples, and how far each goes.
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
    """P(kept) of every gate, None where no sample did with fewer edges of the known circuit; and steps taken."""

    p: Float[Tensor, " edge"] | None
    steps: int


def train_by_elites(
    task: Task, settings: EliteSettings, known: Bool[Tensor, " edge"], pool: ItemPool, *, outside: bool
) -> Followed:
    """One restart. `outside`: whether gates that are not in the known circuit take part."""
    n = int(known.sum())
    start = torch.where(known, 1.0, settings.outside if outside else 0.0)
    near = _Near(task.graph, known)
    circuits = min(settings.most, settings.per_edge * n)
    patience = math.ceil(settings.patience * settings.per_edge * n / circuits)
    p, steps, idle, followed = start, 0, 0, 0
    while idle < patience and followed < settings.follow:
        gates = _sample(settings, near, p, circuits, pool.generator)
        kept = gates[:, known].sum(1)
        elite = _elites(task, settings, gates, kept < n, pool)
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
    task: Task, settings: EliteSettings, gates: Tensor, fewer: Bool[Tensor, " circuit"], pool: ItemPool
) -> Bool[Tensor, " circuit"]:
    """Of the circuits with `fewer` edges, those within the tolerance on all items of the step."""
    rows = pool.draw()
    rows = rows[torch.randperm(len(rows), generator=pool.generator)]
    for part in rows.tensor_split(torch.tensor(settings.screens).cumsum(0)):
        if fewer.any() and len(part):
            wrong = wrong_items(task, gates[fewer], part)
            pool.learn(part, wrong)
            fewer = fewer.masked_scatter(fewer, ~wrong.any(1))
    return fewer


class _Near:
    """The known circuit's groups of edges, and the nodes it does not have.

    known: its edges. groups: `group edge`, 1 on members. rates: of each group, one over the number of its kind. foreign: `writer`,
    the indices of nodes without an edge of the circuit.
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
        """Edges both of whose ends are in the circuit or among the chosen nodes."""
        on = torch.ones(len(self._graph.writers), dtype=torch.bool)
        on[self.foreign] = chosen
        reads = torch.zeros(len(self._graph.readers), dtype=torch.bool)
        reads[-1] = True
        for writer in self._graph.writers:
            if on[writer.index]:
                reads[[reader.index for reader in self._graph.readers_of(writer)]] = True
        return on[self._writers] & reads[self._readers]


def _kinds(graph: ResidualGraph, edges: list[Edge]) -> list[list[list[Edge]]]:
    """Groups of these edges of each kind: by reader, by the query and key of a head, by node, by writer."""
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
