"""Margins match their definitions.

Margins of a task (`Task.margins`) are summed over scored positions. Categorical: the score of the model's own value minus the
mean of the others. Numerical: the value, with the sign of the model's own value relative to its mean over all scored
positions. Margins of answers (`metrics/answers.py`): the log of the ratio of the answers' total probability to the foils',
without padding; if there is no foil, every other token is one. Here each is a loop over numbers.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from edgeprune_core.criterion import Outcome
from edgeprune_core.metrics.answers import answer_margin
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, close, invariant, per_size
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.subjects import Subject, generator_of, some_items

CLOSE = 1e-9  # of sums of a few terms of order 1, relative to the larger of 1 and the value
ANSWERS = ((1, -1, -1), (0, 2, -1), (3, 1, 4))
FOILS = ((0, 2), (-1, -1), (5, -1))


@invariant(
    "margins of tasks and of answers match their definitions",
    applies=lambda subject: subject.tasks["zero"].outcome.categorical,
)
def margins(subject: Subject, seed: int) -> Violations:
    task = subject.tasks["resample"]
    items = some_items(task, seed)
    with torch.no_grad():
        got = task.outputs(mask_of(task, *some_circuits(task.graph, seed)), items)
    for kind, categorical in (("categorical", True), ("numerical", False)):
        which = replace(task, outcome=Outcome(categorical=categorical))
        want = [
            [_by_hand(which, row, clean) for row, clean in zip(own, items[:, 0].tolist(), strict=True)]
            for own in got.tolist()
        ]
        yield from close(
            f"the {kind} margin of circuit and item", which.margins(got, items), want, per_size(want, CLOSE)
        )
    yield from _answers(seed)


def _by_hand(task: Task, got: list[list[float]], clean: int) -> float:
    total, said = 0.0, task.reference[task.scored].mean(0)
    for place in task.scored[clean].nonzero()[:, 0].tolist():
        own, row = task.reference[clean, place].tolist(), got[place]
        if task.outcome.categorical:
            best = own.index(max(own))
            others = [x for i, x in enumerate(row) if i != best]
            total += row[best] - sum(others) / max(len(others), 1)
        else:
            total += sum(x * ((o > m) - (o < m)) for x, o, m in zip(row, own, said.tolist(), strict=True))
    return total


def _answers(seed: int) -> Violations:
    logits = torch.randn(2, 3, 6, generator=generator_of(seed), dtype=torch.float64)
    found = answer_margin(logits, torch.tensor(ANSWERS), torch.tensor(FOILS))
    for item in range(len(ANSWERS)):
        right = {i for i in ANSWERS[item] if i >= 0}
        wrong = {i for i in FOILS[item] if i >= 0} or set(range(logits.shape[-1])) - right
        rows = logits[:, item].exp().tolist()
        want = [math.log(sum(row[i] for i in right) / sum(row[i] for i in wrong)) for row in rows]
        yield from close(f"the margin of answers {sorted(right)}, circuit", found[:, item], want, CLOSE)
