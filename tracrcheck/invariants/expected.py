"""The outputs that a task must give according to `forward.py`, and whether given outputs agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violation, Violations
from tracrcheck.invariants.forward import DOUBLE, Forward, Near, writers

# An output that rounding may move by more than this, in units of the outputs' size, is not compared: a circuit may leave
# a compiled model on a ramp that multiplies errors by 100 and more in each layer.
TOO_ROUGH = 1e-2
# A thousand times the smallest normal float32: a softmax flushes smaller probabilities to zero.
FLUSHED = 1e-35


@dataclass(frozen=True)
class Expected:
    """x: outputs `circuit item pos d_out`, NaN at padding. off: bound on how far another evaluation may be from them."""

    x: Tensor
    off: Tensor

    def violations(self, what: str, got: Tensor, *, more: Tensor | float = 0.0) -> Violations:
        """Where `got` differs by more than rounding explains. more: allowance for anything else."""
        real = ~self.x.isnan()
        size = max(1.0, float(self.x[real].abs().max())) if real.any() else 1.0
        allowed = (2 * self.off + more + FLUSHED).expand_as(self.x)
        wrong = real & (allowed < TOO_ROUGH * size) & ~((got.double() - self.x).abs() <= allowed)
        for place in map(tuple, wrong.nonzero()[:1].tolist()):
            where = "circuit {}, item {}, position {}, coordinate {}".format(*place)
            wanted = f"{float(self.x[place]):.17g} within {float(allowed[place]):.2g}"
            yield Violation(f"{what}, {where}", f"{float(got[place]):.17g}", wanted)

    def around(self, other: Tensor) -> Expected:
        """The same bound around `other`, another evaluation: each is within `off` of the exact outputs."""
        return Expected(torch.where(self.x.isnan(), self.x, other.double()), self.off)

    @property
    def compared(self) -> float:
        """The share of outputs whose rounding bound is small enough to compare."""
        real = ~self.x.isnan()
        size = max(1.0, float(self.x[real].abs().max()))
        return float((2 * self.off[real] < TOO_ROUGH * size).double().mean())


def forward_of(task: Task, unit: float = DOUBLE) -> Forward:
    weights = {name: t.double().numpy() for name, t in task.model.weights.tensors().items()}
    return Forward(task.model.spec, weights, unit)


def shares(task: Task, mask: Tensor) -> dict[tuple[str, str], np.ndarray]:
    """A mask `circuit reader writer` as a table by the names of edges."""
    columns = mask.double().numpy()
    return {
        (str(e.writer), str(e.reader)): columns[:, e.reader.index, e.writer.index] for e in task.graph.edges
    }


def expected(task: Task, mask: Tensor, items: Tensor, *, unit: float = DOUBLE) -> Expected:
    """Outputs of masked models by hand. unit: the rounding unit of the outputs they will be compared with."""
    forward, keep = forward_of(task, unit), shares(task, mask)

    def masked(clean: np.ndarray, other: np.ndarray) -> Near:
        return forward.masked(clean, keep, _background(task, forward, other))[0]

    return _by_length(task, items, len(mask), masked)


def plain(task: Task, inputs: Tensor, *, unit: float = DOUBLE) -> Expected:
    """Outputs of the unmasked model on these inputs (rows of `task.tokens`), with a leading circuit axis of size 1."""
    forward = forward_of(task, unit)
    return _by_length(task, inputs[:, None].expand(-1, 2), 1, lambda clean, _: forward.plain(clean)[0])


def _by_length(
    task: Task, items: Tensor, circuits: int, outputs: Callable[[np.ndarray, np.ndarray], Near]
) -> Expected:
    shape = (circuits, len(items), task.tokens.shape[1], task.model.spec.d_out)
    x, off = (np.full(shape, math.nan) for _ in range(2))
    lengths = task.valid[items[:, 0]].sum(1)
    for n in lengths.unique().tolist():
        rows = (lengths == n).nonzero()[:, 0].tolist()
        out = outputs(*(task.tokens[items[rows, side], :n].numpy() for side in (0, 1)))
        x[:, rows, :n], off[:, rows, :n] = out.x, out.off
    return Expected(torch.from_numpy(x), torch.from_numpy(off))


def _background(task: Task, forward: Forward, corrupted: np.ndarray) -> dict[str, Near]:
    """What cut edges carry: nothing, what the corrupted input writes, or the mean over the inputs of this length."""
    batch, n = corrupted.shape
    if task.ablation.name == "zero":
        nothing = Near.exactly(np.zeros((batch, n, forward.spec.d_model)))
        return dict.fromkeys(writers(forward.spec), nothing)
    if task.ablation.name == "resample":
        return forward.plain(corrupted)[1]
    if task.ablation.name != "mean":  # a new row of the table, of which there is no derivation here
        given = torch.from_numpy(corrupted)
        carried = task.ablation.background(task.model, given, torch.ones_like(given, dtype=torch.bool))
        assert carried is not None
        return {
            name: Near.exactly(rows.double().numpy())
            for name, rows in zip(writers(forward.spec), carried, strict=True)
        }
    inputs = task.tokens[task.valid.sum(1) == n, :n].unique(dim=0).numpy()
    wrote = forward.plain(inputs)[1]
    return {name: _mean(near, batch, forward) for name, near in wrote.items()}


def _mean(near: Near, batch: int, forward: Forward) -> Near:
    x, off = near.x.mean(0), near.off.mean(0) + forward.g(len(near.x) + 2) * np.abs(near.x).mean(0)
    return Near(np.broadcast_to(x, (batch, *x.shape)), np.broadcast_to(off, (batch, *off.shape)))
