"""Stability: a method on two random halves of the inputs.

A circuit that is found from either half does not rest on a few inputs. The setting is that of the whole list: what cut edges carry
and the tolerance stay as they are, and the circuits are judged on the whole list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from edgeprune_core.task import Task
from tracrcheck.grading.run_method import Answer
from tracrcheck.grading.verdict import Halves, Verdict

_SEED = 18  # the halves are the same for every method and seed


def halves_of(task: Task) -> tuple[Task, Task] | None:
    """The task on each of two random halves of its inputs, length by length; None if there is only one input."""
    draw = torch.Generator().manual_seed(_SEED)
    order = torch.randperm(len(task.tokens), generator=draw)
    order = order[task.valid.sum(1)[order].argsort(stable=True)]
    if len(order) < 2:
        return None
    first, second = (_on(task, order[start::2].sort().values) for start in (0, 1))
    return first, second


def _on(task: Task, rows: torch.Tensor) -> Task:
    """The task on some of its inputs, and on the items that consist of them."""
    number = torch.full((len(task.tokens),), -1)
    number[rows] = torch.arange(len(rows))
    items = number[task.items]
    return replace(
        task,
        tokens=task.tokens[rows],
        valid=task.valid[rows],
        scored=task.scored[rows],
        places=None if task.places is None else task.places[rows],
        items=items[(items >= 0).all(1)],
    )


def compared(
    answers: Sequence[Sequence[Answer]], judge: Callable[[Answer, int], Verdict], seeds: Sequence[int]
) -> list[Halves]:
    """For each seed. answers: of either half, in the order of the seeds."""
    found = []
    for one, other, seed in zip(*answers, seeds, strict=True):
        verdicts = [judge(answer, seed) for answer in (one, other)]
        found.append(Halves(common=_common(one, other), right=(_holds(verdicts[0]), _holds(verdicts[1]))))
    return found


def _holds(verdict: Verdict) -> bool:
    return verdict.verdict == "HOLDS"


def _common(one: Answer, other: Answer) -> float | None:
    if one.circuit is None or other.circuit is None:
        return None
    either = one.circuit | other.circuit
    return len(one.circuit & other.circuit) / len(either) if len(either) else 1.0
