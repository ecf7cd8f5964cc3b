"""Permuting heads permutes everything that speaks of heads, and changes nothing else.

Heads of a layer are a sum: numbering them otherwise is the same function. With shared key/value heads, groups may be
permuted, and heads within a group. Let every layer be renumbered and E map an edge to its new name. Then the outputs of
a circuit C in the old model are those of E(C) in the new one; derivatives and scores move along with their edges; the
certified truth T becomes E(T) (any of the smallest circuits, where there are several); and training with the noise of
each edge moved along ends with each edge's gate moved along. A model with one head a layer is given a second one that
writes nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest import mock

import torch
from torch import Tensor

from edgeprune_core.ablations import Mean
from edgeprune_core.attribution import margin_gradient
from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge, ResidualGraph
from edgeprune_core.mask import edge_values
from edgeprune_core.task import Task
from edgeprune_core.training import pathwise
from edgeprune_core.training.pathwise import PathwiseSettings, train_pathwise
from edgeprune_core.weights import Model, Weights
from tracrcheck.certify import certify
from tracrcheck.exam import Setting
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.circuits import mask_of, some_circuits, some_shares
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.subjects import Subject, generator_of, is_program, is_smooth, some_items

QUERY, SHARED = ("w_q", "b_q", "w_o"), ("w_k", "b_k", "w_v", "b_v")
# Share of the larger of two gradients by which rounding may separate them: their sums have a few thousand terms.
GRADIENT = 1e-7


@dataclass(frozen=True, eq=False)
class Renumbered:
    """task: of the new model. place: for each old edge, in the order of `graph.edges`, the new one's place."""

    old: Task
    task: Task
    place: Tensor

    def circuit(self, circuit: Circuit) -> Circuit:
        graph = self.task.graph
        old = {edge: i for i, edge in enumerate(graph.edges)}
        return Circuit.of(graph, (graph.edges[int(self.place[old[edge]])] for edge in circuit))

    def moved(self, values: Tensor) -> Tensor:
        """`..., edge` in the new order."""
        new = torch.empty_like(values)
        new[..., self.place] = values
        return new


def renumbered(task: Task, seed: int) -> Renumbered:
    """The heads of every layer in a random other order."""
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
    if not isinstance(task.ablation, Mean):
        return replace(task, model=model)
    lengths = task.valid.sum(1)
    inputs = [task.tokens[lengths == n, :n] for n in lengths.unique().tolist()]
    return replace(task, model=model, ablation=Mean.of(model, inputs))


def permuted_outputs(subject: Subject, seed: int) -> Violation | None:
    for name, task in subject.tasks.items():
        both = renumbered(task, seed)
        circuits = [*some_circuits(both.old.graph, seed), Circuit.full(both.old.graph)]
        items = some_items(task, seed)
        mask = mask_of(both.old, *circuits)
        want = expected(both.old, mask, items).around(both.old.outputs(mask, items))
        got = both.task.outputs(mask_of(task, *map(both.circuit, circuits)), items)
        if wrong := want.violation(f"outputs with heads permuted, under {name}", got):
            return wrong
    return None


def permuted_gradients(subject: Subject, seed: int) -> Violation | None:
    for name, task in subject.tasks.items():
        both, items = renumbered(task, seed), some_items(task, seed)
        mask = some_shares(both.old, seed, 1)
        want = both.moved(edge_values(task.graph, _gradient(both.old, mask, items)))
        turned = some_shares(both.old, seed, 1)
        turned[turned != 0] = both.moved(edge_values(task.graph, mask)).flatten()
        got = edge_values(task.graph, _gradient(both.task, turned, items))
        scores = both.moved(margin_gradient(both.old)), margin_gradient(both.task)
        for what, a, b in (("mask gradients", want, got), ("scores", *scores)):
            if (a - b).abs().max() > GRADIENT * max(1e-6, float(a.abs().max())):
                return Violation(
                    f"{what} with heads permuted, under {name}", f"off by {float((a - b).abs().max()):.2g}", 0
                )
    return None


def _gradient(task: Task, mask: Tensor, items: Tensor) -> Tensor:
    leaf = mask.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(task.margins(task.outputs(leaf, items), items).sum(), leaf)
    return gradient


def permuted_truth(subject: Subject, seed: int) -> Violation | None:
    for name, task in subject.tasks.items():
        if task.accepts(Circuit.empty(task.graph)):
            continue
        both = renumbered(task, seed)
        old, new = (certify(t, Setting(ablation=name)) for t in (both.old, both.task))
        if old.proved != new.proved or (old.permitted.edges and both.circuit(old.permitted) != new.permitted):
            return Violation(f"what is proved with heads permuted, under {name}", new.proved, old.proved)
        if "smallest" in old.proved and len(old.required) != len(new.required):
            return Violation(f"the truth's size under {name}", len(new.required), len(old.required))
        if "unique" in old.proved and both.circuit(old.required) != new.required:
            return Violation(f"the truth under {name}", new.required.texts, both.circuit(old.required).texts)
    return None


def permuted_pruning(subject: Subject, seed: int) -> Violation | None:
    settings = PathwiseSettings(steps=6, circuits=4)
    for name, task in subject.tasks.items():
        both = renumbered(task, seed)
        want = both.moved(train_pathwise(both.old, settings, generator_of(seed)).log_alpha)
        with _noise_moved(both):
            got = train_pathwise(both.task, settings, generator_of(seed)).log_alpha
        if (off := float((want - got).abs().max())) > 1e-5 * settings.learning_rate * settings.steps:
            return Violation(
                f"gates trained with heads and noise permuted, under {name}", f"off by {off:.2g}", 0
            )
    return None


@contextmanager
def _noise_moved(both: Renumbered) -> Iterator[None]:
    drawn = pathwise.stratified_uniform

    def moved(*args, **kwargs) -> Tensor:
        return both.moved(drawn(*args, **kwargs))

    with mock.patch.object(pathwise, "stratified_uniform", moved):
        yield


PERMUTED_OUTPUTS = Invariant(
    name="permuted_outputs",
    statement="permuting heads permutes circuits and leaves their outputs",
    check=permuted_outputs,
)
PERMUTED_GRADIENTS = Invariant(
    name="permuted_gradients",
    statement="permuting heads permutes mask gradients and attribution scores",
    check=permuted_gradients,
    applies=is_smooth,
)
PERMUTED_TRUTH = Invariant(
    name="permuted_truth",
    statement="permuting heads permutes the certified truth",
    check=permuted_truth,
    applies=is_program,
)
PERMUTED_PRUNING = Invariant(
    name="permuted_pruning",
    statement="permuting heads, and the noise with them, permutes what training ends with",
    check=permuted_pruning,
    applies=is_smooth,
)
