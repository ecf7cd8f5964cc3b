"""Permuting heads permutes everything that refers to heads, and changes nothing else.

The heads of a layer are a sum, so another numbering is the same function. Let E map an edge to its new name
(`renumbering.py`). The outputs of a circuit C in the old model are those of E(C) in the new one; derivatives and scores move
with their edges; the certified truth T becomes E(T) if it is unique; and training, by either estimator, with each edge's
noise moved along, ends with each edge's mask variable moved along.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from unittest import mock

import torch
from torch import Tensor

from edgeprune_core.attribution import margin_gradient
from edgeprune_core.circuit import Circuit
from edgeprune_core.mask import edge_values
from edgeprune_core.methods import EdgePruningBounded
from edgeprune_core.task import Task
from edgeprune_core.training import gates, score_function
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.pathwise import PathwiseTraining
from edgeprune_core.training.score_function import ScoreSettings, train_by_score
from tracrcheck.invariants.base import Violations, close, each_task, equal, invariant, of_largest
from tracrcheck.invariants.circuits import mask_of, some_circuits, some_shares
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.renumbering import Renumbered, renumbered
from tracrcheck.invariants.subjects import Subject, generator_of, is_program, is_smooth, some_items
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting

# Rounding may separate two gradients by this share of the larger one: their sums have a few thousand terms.
GRADIENT = 1e-7
PATHWISE = EdgePruningBounded(steps=4, circuits=4)
SCORE = ScoreSettings(steps=4, circuits=8)
# Of log-alphas: far above rounding, far below one step of either trainer.
TRAINED = 1e-4


@invariant("permuting heads permutes circuits and keeps their outputs")
@each_task()
def permuted_outputs(task: Task, seed: int) -> Violations:
    both, items = renumbered(task, seed), some_items(task, seed)
    circuits = [*some_circuits(both.old.graph, seed), Circuit.full(both.old.graph)]
    mask = mask_of(both.old, *circuits)
    want = expected(both.old, mask, items).around(both.old.outputs(mask, items))
    got = both.task.outputs(mask_of(task, *map(both.circuit, circuits)), items)
    yield from want.violations("outputs with heads permuted", got)


@invariant("permuting heads permutes mask gradients and attribution scores", applies=is_smooth)
@each_task()
def permuted_gradients(task: Task, seed: int) -> Violations:
    both, items = renumbered(task, seed), some_items(task, seed)
    mask = some_shares(both.old, seed, 1)
    want = both.moved(edge_values(task.graph, _gradient(both.old, mask, items)))
    turned = some_shares(both.old, seed, 1)
    turned[turned != 0] = both.moved(edge_values(task.graph, mask)).flatten()
    got = edge_values(task.graph, _gradient(both.task, turned, items))
    scores, own = both.moved(margin_gradient(both.old)), margin_gradient(both.task)
    for what, a, b in (("mask gradients", got, want), ("scores", own, scores)):
        yield from close(f"{what} with heads permuted", a, b, of_largest(b, GRADIENT, 1e-6))


def _gradient(task: Task, mask: Tensor, items: Tensor) -> Tensor:
    leaf = mask.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(task.margins(task.outputs(leaf, items), items).sum(), leaf)
    return gradient


@invariant("permuting heads permutes the certified truth", applies=is_program)
@each_task()
def permuted_truth(task: Task, seed: int) -> Violations:
    if task.accepts(Circuit.empty(task.graph)):
        return
    both, setting = renumbered(task, seed), Setting(ablation=task.ablation.name)
    old, new = (certify(t, setting) for t in (both.old, both.task))
    yield from equal("what is proved with heads permuted", new.proved, old.proved)
    if old.permitted.edges:
        yield from equal("permitted edges with heads permuted", new.permitted, both.circuit(old.permitted))
    if "smallest" in old.proved:
        yield from equal("the truth's size with heads permuted", len(new.required), len(old.required))
    if "unique" in old.proved:
        yield from equal("the truth with heads permuted", new.required, both.circuit(old.required))


@invariant("permuting heads, and the noise with them, permutes what training ends with")
def permuted_pruning(subject: Subject, seed: int) -> Violations:
    trainers = [(score_function, _by_score)] + ([(gates, _by_path)] if is_smooth(subject) else [])
    for name in ("zero", "resample"):
        both = renumbered(subject.tasks[name], seed)
        for module, train in trainers:
            want = both.moved(train(both.old, seed))
            with _noise_moved(module, both):
                got = train(both.task, seed)
            what = f"trained with heads and noise permuted, {module.__name__}, under {name}"
            yield from close(f"gates {what}", got, want, TRAINED)
            yield from close(f"gates above 0 {what}", got > 0, want > 0, 0)


def _by_score(task: Task, seed: int) -> Tensor:
    pool = ItemPool(len(task.items), SCORE.fresh, SCORE.kept, generator_of(seed))
    start = torch.full((1, task.graph.n_edges), SCORE.start)
    return train_by_score(task, SCORE, start, pool).log_alpha[0]


def _by_path(task: Task, seed: int) -> Tensor:
    training = PathwiseTraining(PATHWISE, task, generator_of(seed))
    while not training.done:
        training.advance()
    return training.scores()


@contextmanager
def _noise_moved(trainer: ModuleType, both: Renumbered) -> Iterator[None]:
    drawn = vars(trainer)["stratified_uniform"]

    def moved(*args, **kwargs) -> Tensor:
        return both.moved(drawn(*args, **kwargs))

    with mock.patch.object(trainer, "stratified_uniform", moved):
        yield
