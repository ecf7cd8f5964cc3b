"""What a task's outputs must be, by the forward of `forward.py`, and whether some are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violation
from tracrcheck.invariants.forward import DOUBLE, Forward, Near, writers

# Where rounding may move an output by more than this, in units of the outputs' size, comparing says nothing: a circuit
# may leave a compiled model on a ramp that multiplies errors by 100 and more in each layer.
TOO_ROUGH = 1e-2
# Below the least normal number of float32, times a thousand: a softmax flushes smaller probabilities to zero.
FLUSHED = 1e-35


@dataclass(frozen=True)
class Expected:
    """Outputs `circuit item pos d_out`, and how far others may be from them: NaN where there is no token."""

    x: Tensor
    off: Tensor

    def violation(self, what: str, got: Tensor, *, more: Tensor | float = 0.0) -> Violation | None:
        """Where `got` is further off than rounding explains. more: what else may move it."""
        real = ~self.x.isnan()
        size = max(1.0, float(self.x[real].abs().max())) if real.any() else 1.0
        allowed = 2 * self.off + more + FLUSHED
        wrong = real & (allowed < TOO_ROUGH * size) & ~((got.double() - self.x).abs() <= allowed)
        if not wrong.any():
            return None
        place = tuple(wrong.nonzero()[0].tolist())
        where = "circuit {}, item {}, position {}, coordinate {}".format(*place)
        return Violation(
            f"{what}, {where}", f"{float(got[place]):.17g}", f"{float(self.x[place]):.17g}"
            f" within {float(allowed.expand_as(self.x)[place]):.2g}",
        )  # fmt: skip

    def around(self, other: Tensor) -> Expected:
        """What else must be near `other`, another evaluation of the same: each is within `off` of what is exact."""
        return Expected(torch.where(self.x.isnan(), self.x, other.double()), self.off)

    @property
    def compared(self) -> float:
        """The share of outputs that rounding leaves comparable."""
        real = ~self.x.isnan()
        size = max(1.0, float(self.x[real].abs().max()))
        return float((2 * self.off[real] < TOO_ROUGH * size).double().mean())


def forward_of(task: Task, unit: float = DOUBLE) -> Forward:
    weights = {name: t.double().numpy() for name, t in task.model.weights.tensors().items()}
    return Forward(task.model.spec, weights, unit)


def shares(task: Task, mask: Tensor) -> dict[tuple[str, str], np.ndarray]:
    """A mask `circuit reader writer`, by the names of edges."""
    columns = mask.double().numpy()
    return {
        (str(e.writer), str(e.reader)): columns[:, e.reader.index, e.writer.index] for e in task.graph.edges
    }


def expected(task: Task, mask: Tensor, items: Tensor, *, unit: float = DOUBLE) -> Expected:
    """Outputs of masked models, by hand. unit: of the rounding of what they will be compared with."""
    forward, keep = forward_of(task, unit), shares(task, mask)
    pos, d_out = task.tokens.shape[1], task.model.spec.d_out
    x = np.full((len(mask), len(items), pos, d_out), math.nan)
    off = np.full_like(x, math.nan)
    for n, rows in by_length(task, items):
        clean, other = (task.tokens[items[rows, side], :n].numpy() for side in (0, 1))
        out, _ = forward.masked(clean, keep, _background(task, forward, other))
        x[:, rows, :n], off[:, rows, :n] = out.x, out.off
    return Expected(torch.from_numpy(x), torch.from_numpy(off))


def plain(task: Task, inputs: Tensor, *, unit: float = DOUBLE) -> Expected:
    """Outputs of the model as it is on these inputs (rows of `task.tokens`), a circuit axis of 1 in front."""
    forward = forward_of(task, unit)
    x = np.full((1, len(inputs), task.tokens.shape[1], task.model.spec.d_out), math.nan)
    off = np.full_like(x, math.nan)
    for n, rows in by_length(task, inputs[:, None].expand(-1, 2)):
        out, _ = forward.plain(task.tokens[inputs[rows], :n].numpy())
        x[0, rows, :n], off[0, rows, :n] = out.x, out.off
    return Expected(torch.from_numpy(x), torch.from_numpy(off))


def by_length(task: Task, items: Tensor) -> list[tuple[int, list[int]]]:
    """(length, rows of `items` with clean inputs of that length)."""
    lengths = task.valid[items[:, 0]].sum(1)
    return [(n, (lengths == n).nonzero()[:, 0].tolist()) for n in sorted(set(lengths.tolist()))]


def _background(task: Task, forward: Forward, corrupted: np.ndarray) -> dict[str, Near]:
    """What cut edges carry: nothing, what the corrupted input writes, or the mean over the inputs of this length."""
    batch, n = corrupted.shape
    if task.ablation.name == "zero":
        nothing = Near.exactly(np.zeros((batch, n, forward.spec.d_model)))
        return dict.fromkeys(writers(forward.spec), nothing)
    if task.ablation.name == "resample":
        return forward.plain(corrupted)[1]
    if task.ablation.name != "mean":  # a further row of the table: no second derivation of it is at hand
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
