"""Selectors: how a circuit is made of edge scores, apart from how the scores were found.

top_n:N                  the N edges with the largest scores, then without dangling ones
greedy:N                 N edges, each the one with the largest score among those that lead to the output through edges
                         already kept, as `apply_greedy` of EAP-IG (hannamw/EAP-IG)
fewest_within_tolerance  the shortest head of the ranking that the task accepts, without dangling edges
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.error_codes import unknown_name, user_error
from edgeprune_core.graph import Edge
from edgeprune_core.methods.top_edges import fewest_edges, top_edges
from edgeprune_core.task import Task


class Selector(Protocol):
    @property
    def name(self) -> str: ...

    def __call__(self, task: Task, scores: Float[Tensor, " edge"]) -> Circuit: ...


@dataclass(frozen=True, slots=True)
class TopN:
    n_edges: int

    @property
    def name(self) -> str:
        return f"top_n:{self.n_edges}"

    def __call__(self, task: Task, scores: Float[Tensor, " edge"]) -> Circuit:
        return top_edges(task, scores, self.n_edges)


@dataclass(frozen=True, slots=True)
class Greedy:
    n_edges: int

    @property
    def name(self) -> str:
        return f"greedy:{self.n_edges}"

    def __call__(self, task: Task, scores: Float[Tensor, " edge"]) -> Circuit:
        graph, values = task.graph, scores.tolist()
        into: dict[int, list[tuple[float, int, Edge]]] = {}
        for i, edge in enumerate(graph.edges):
            into.setdefault(edge.reader.index, []).append((-values[i], i, edge))
        reached: set[int] = {graph.reader("out").index}
        kept: set[Edge] = set()
        queue = list(into[graph.reader("out").index])
        heapq.heapify(queue)
        while queue and len(kept) < self.n_edges:
            _, _, edge = heapq.heappop(queue)
            kept.add(edge)
            for reader in graph.readers_of(edge.writer):
                if reader.index not in reached:
                    reached.add(reader.index)
                    for one in into[reader.index]:
                        heapq.heappush(queue, one)
        return Circuit(graph, frozenset(kept))


@dataclass(frozen=True, slots=True)
class FewestWithinTolerance:
    @property
    def name(self) -> str:
        return "fewest_within_tolerance"

    def __call__(self, task: Task, scores: Float[Tensor, " edge"]) -> Circuit:
        return fewest_edges(task, scores)[0]


SELECTORS = {"top_n": TopN, "greedy": Greedy, "fewest_within_tolerance": FewestWithinTolerance}


def selector_of(text: str, *, where: str = "") -> Selector:
    """`top_n:12`, `greedy:12` or `fewest_within_tolerance`. Errors: EP191."""
    name, _, number = text.partition(":")
    if name not in SELECTORS:
        raise unknown_name("EP191.name", name, SELECTORS, where=where)
    if name == "fewest_within_tolerance":
        if number:
            raise user_error("EP191.none", where=where, got=text, name=name)
        return FewestWithinTolerance()
    if not number.isdecimal() or int(number) < 1:
        raise user_error("EP191.number", where=where, got=text, name=name)
    return (TopN if name == "top_n" else Greedy)(int(number))
