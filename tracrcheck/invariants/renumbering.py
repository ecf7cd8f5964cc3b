"""The same model with the heads of every layer in another order, and where each edge went.

With shared key/value heads, groups may be permuted, and heads within a group. A model with one head per layer is given a
second one that writes nothing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge, ResidualGraph
from edgeprune_core.task import Task
from edgeprune_core.weights import Model, Weights
from tracrcheck.invariants.circuits import circuit_of
from tracrcheck.invariants.subjects import inputs_by_length

QUERY, SHARED = ("w_q", "b_q", "w_o"), ("w_k", "b_k", "w_v", "b_v")


@dataclass(frozen=True, eq=False)
class Renumbered:
    """task: of the new model. place: the new index of each old edge, in the order of `graph.edges`."""

    old: Task
    task: Task
    place: Tensor

    def circuit(self, circuit: Circuit) -> Circuit:
        on = torch.tensor([edge in circuit for edge in circuit.graph.edges])
        return circuit_of(self.task.graph, self.moved(on))

    def moved(self, values: Tensor) -> Tensor:
        """`..., edge` in the new order."""
        new = torch.empty_like(values)
        new[..., self.place] = values
        return new


def renumbered(task: Task, seed: int) -> Renumbered:
    """The same task with the heads of every layer in a random order."""
    task = _two_heads(task) if task.model.spec.n_heads == 1 else task
    spec, rng = task.model.spec, random.Random(seed)
    group = spec.n_heads // spec.n_kv_heads
    shared, heads = [], []  # [layer][new] -> old
    for _ in range(spec.n_layers):
        kv = _other_order(spec.n_kv_heads, rng)
        shared.append(kv)
        heads.append([old * group + i for old in kv for i in _other_order(group, rng)])
    order = {**dict.fromkeys(QUERY, torch.tensor(heads)), **dict.fromkeys(SHARED, torch.tensor(shared))}
    layers = torch.arange(spec.n_layers)[:, None]
    tensors = task.model.weights.tensors()
    turned = {name: t[layers, order[name]] if name in order else t for name, t in tensors.items()}
    new = with_model(task, Model(spec, Weights(**turned)))
    return Renumbered(task, new, _places(task.graph, heads, shared))


def _other_order(n: int, rng: random.Random) -> list[int]:
    order = rng.sample(range(n), n)
    return order if n == 1 or order != sorted(order) else order[1:] + order[:1]


def _places(graph: ResidualGraph, heads: list[list[int]], shared: list[list[int]]) -> Tensor:
    place = {edge: i for i, edge in enumerate(graph.edges)}

    def new(edge: Edge) -> int:
        writer, reader = edge.writer, edge.reader
        if writer.kind == "head":
            writer = graph.writer(f"a{writer.layer}.h{heads[writer.layer].index(writer.head)}")
        if reader.kind == "head":
            order = heads if reader.port == "q" else shared
            reader = graph.reader(f"a{reader.layer}.h{order[reader.layer].index(reader.head)}.{reader.port}")
        return place[Edge(writer, reader)]

    return torch.tensor([new(edge) for edge in graph.edges])


def _two_heads(task: Task) -> Task:
    """A second head, of zeros, in every layer."""
    model = task.model
    spec = replace(model.spec, n_heads=2, n_kv_heads=2)
    per_head = (*QUERY, *SHARED)
    tensors = {
        name: torch.cat([t, torch.zeros_like(t)], 1) if name in per_head else t
        for name, t in model.weights.tensors().items()
    }
    return with_model(task, Model(spec, Weights(**tensors)))


def with_model(task: Task, model: Model) -> Task:
    return replace(task, model=model, ablation=task.ablation.of(model, list(inputs_by_length(task).values())))
