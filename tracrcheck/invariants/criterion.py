"""The deviation of an output is that of its worst scored position, by the stated criterion; the model is accepted.

In words (`edgeprune_core/criterion.py`): under `value`, the largest move of a coordinate in units of the range; under
`decoded`, 1 if some scored position decodes to another value, ties going to the lowest index; under `kl`,
KL(wanted || got) in nats. An output that is not a number has infinite deviation. Here each is a loop over numbers; ties, a
NaN and wild unscored positions are inserted on purpose. For a pair, the scored positions of the clean input count. The full
circuit moves nothing, so it meets every limit, also 0.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome, decode
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, close, equal, invariant, per_size
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.subjects import Subject, generator_of, with_few_items

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
