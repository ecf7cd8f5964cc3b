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
from tracrcheck.invariants.base import Invariant, Violation
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
    for name in ("zero", "resample"):
        task = subject.tasks[name]
        both = renumbered(task, seed)
        trainers = [(score_function, _by_score)] + ([(gates, _by_path)] if is_smooth(subject) else [])
        for module, train in trainers:
            want = both.moved(train(both.old, seed))
            with _noise_moved(module, both):
                got = train(both.task, seed)
            if (off := float((want - got).abs().max())) > TRAINED or not torch.equal(want > 0, got > 0):
                what = f"gates trained with heads and noise permuted, {module.__name__}, under {name}"
                return Violation(what, f"off by {off:.2g}", f"at most {TRAINED:g}")
    return None


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


PERMUTED_OUTPUTS = Invariant(
    name="permuted_outputs",
    statement="permuting heads permutes circuits and keeps their outputs",
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
)
