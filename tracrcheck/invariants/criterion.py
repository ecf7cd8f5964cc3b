"""Deviations and margins of outputs match their definitions.

The deviation of an output is that of its worst scored position, by the stated criterion; the model is accepted.

In words (`edgeprune_core/criterion.py`): under `value`, the largest move of a coordinate in units of the range; under
`decoded`, 1 if some scored position decodes to another value, ties going to the lowest index; under `kl`,
KL(wanted || got) in nats. An output that is not a number has infinite deviation. Here each is a loop over numbers; ties, a
NaN and wild unscored positions are inserted on purpose. For a pair, the scored positions of the clean input count. The full
circuit moves nothing, so it meets every limit, also 0.

Margins of a task (`Task.margins`) are summed over scored positions. Categorical: the score of the model's own value minus the
mean of the others. Numerical: the value, with the sign of the model's own value relative to its mean over all scored
positions, or 0 where it equals the mean up to rounding. Margins of answers (`metrics/answers.py`): the log of the ratio of the answers' total probability to the foils',
without padding; if there is no foil, every other token is one. Here each is a loop over numbers.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome, decode
from edgeprune_core.metrics.answers import answer_margin
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, close, equal, invariant, per_size
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.subjects import Subject, generator_of, some_items, with_few_items

CLOSE = 1e-9  # of sums of a few terms of order 1
SCALE = 3.7
TIE = 1e-9  # outputs nearer than this are equal (`criterion.py`)
OUTCOMES = (
    Outcome(categorical=True),
    Outcome(categorical=False, scale=SCALE),
    Outcome(categorical=True, criterion="decoded"),
    Outcome(categorical=True, criterion="kl"),
)


@invariant("the deviation of an output is that of its worst scored position; the full circuit is accepted")
def criterion(subject: Subject, seed: int) -> Violations:
    got, want, scored = _outputs(seed)
    yield from equal(
        "the value decoded from [0.5, 1, 1, 0, 1], of equals the first", decode(got[0, 0, 0]).item(), 1
    )
    for outcome in OUTCOMES:
        found = outcome.deviation(got, want.expand_as(got), scored.expand(got.shape[:-1]))
        by_hand = [
            [
                max(_off(outcome, g, w) for g, w, s in zip(*rows, strict=True) if s)
                for rows in zip(own.tolist(), want.tolist(), scored.tolist(), strict=True)
            ]
            for own in got
        ]
        yield from close(f"{outcome.criterion} of circuit and item", found, by_hand, per_size(by_hand, CLOSE))
    task = subject.tasks["zero"]
    for name in ("value", "decoded", "kl"):
        accepting = replace(task, outcome=replace(task.outcome, criterion=name))
        accepted = accepting.accepts(Circuit.full(task.graph))
        yield from equal(f"whether the full circuit is accepted, by {name}", accepted, True)
    yield from _deviations_of_pairs(subject.tasks["resample"], seed)


def _deviations_of_pairs(whole: Task, seed: int) -> Violations:
    """Deviations on pairs whose inputs have different scored positions: those of the clean input count."""
    scored = whole.valid & (torch.rand(whole.valid.shape, generator=generator_of(seed)) < 0.5)
    task = replace(with_few_items(whole, seed, 8), scored=scored)
    (circuit,) = some_circuits(task.graph, seed, (0.6,))
    with torch.no_grad():
        got = task.outputs(mask_of(task, circuit), task.items)[0]
    by_hand = []
    for row, (clean, _) in enumerate(task.items.tolist()):
        rows = zip(got[row].tolist(), task.reference[clean].tolist(), scored[clean].tolist(), strict=True)
        offs = [max(abs(a - b) for a, b in zip(g, w, strict=True)) for g, w, s in rows if s]
        by_hand.append(max(offs, default=0.0) / (task.outcome.scale or 1.0))
    yield from close("the deviation of pair", task.deviations(circuit)[0], by_hand, per_size(by_hand, CLOSE))


def _outputs(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """`circuit item pos d_out` got, `item pos d_out` wanted, `item pos` scored: at least one position each."""
    draw = generator_of(seed)
    want = torch.randn(4, 5, 5, generator=draw, dtype=torch.float64)
    got = want + 0.2 * torch.randn(3, 4, 5, 5, generator=draw, dtype=torch.float64)
    scored = torch.rand(4, 5, generator=draw) < 0.5
    scored[:, 0] = True
    got[:, ~scored] += 50.0
    got[0, 0, 0] = torch.tensor([0.5, 1.0, 1.0 + TIE / 1000, 0.0, 1.0], dtype=got.dtype)
    want[0, 0] = torch.tensor([0.0, 1.0, 0.5, 0.0, 0.0])
    got[1, 1, 0, 2] = math.nan
    return got, want, scored


def _off(outcome: Outcome, got: list[float], want: list[float]) -> float:
    if any(math.isnan(x) for x in got):
        return math.inf
    if outcome.criterion == "decoded":
        return float(_first_of_largest(got) != _first_of_largest(want))
    if outcome.criterion == "kl":
        p, q = ([math.exp(x) / sum(map(math.exp, row)) for x in row] for row in (want, got))
        return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return max(abs(g - w) for g, w in zip(got, want, strict=True)) / outcome.scale


def _first_of_largest(row: list[float]) -> int:
    return next(i for i, x in enumerate(row) if x >= max(row) - TIE)


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
        vars(which)["reference"] = _rounded_near_its_mean(task.reference, task.scored, seed)
        want = [
            [_by_hand(which, row, clean) for row, clean in zip(own, items[:, 0].tolist(), strict=True)]
            for own in got.tolist()
        ]
        yield from close(
            f"the {kind} margin of circuit and item", which.margins(got, items), want, per_size(want, CLOSE)
        )
    yield from _answers(seed)


def _rounded_near_its_mean(reference: Tensor, scored: Tensor, seed: int) -> Tensor:
    """The same with the first coordinate equal to its mean but for noise of 1e-12, as rounding leaves it."""
    noise = torch.randn(reference.shape[:-1], generator=generator_of(seed), dtype=reference.dtype)
    first = reference[scored][:, 0].mean() + 1e-12 * noise
    return torch.cat([first[..., None], reference[..., 1:]], -1)


def _by_hand(task: Task, got: list[list[float]], clean: int) -> float:
    total, said = 0.0, task.reference[task.scored].mean(0)
    for place in task.scored[clean].nonzero()[:, 0].tolist():
        own, row = task.reference[clean, place].tolist(), got[place]
        if task.outcome.categorical:
            best = own.index(max(own))
            others = [x for i, x in enumerate(row) if i != best]
            total += row[best] - sum(others) / max(len(others), 1)
        else:
            beyond = [o - m for o, m in zip(own, said.tolist(), strict=True)]
            total += sum(x * ((b > 1e-6) - (b < -1e-6)) for x, b in zip(row, beyond, strict=True))
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
