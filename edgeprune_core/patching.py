"""Masks run over a task's whole list: how far each moves the model's outputs. In parts, so that memory is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from edgeprune_core.engine import live_writers
from edgeprune_core.metrics.divergence import bounded, kl, sharp_temperature
from edgeprune_core.task import CHUNK_FLOATS, Task

Divergence = Literal["kl", "bounded"]


@torch.no_grad()
def deviations_of(task: Task, mask: Float[Tensor, "circuit reader writer"]) -> Float[Tensor, "circuit item"]:
    """As `Task.deviations`, of masks: how far each item's worst scored coordinate moves."""
    parts = []
    for items, got in _outputs(task, mask):
        want, scored = _wanted(task, items)
        parts.append(task.outcome.deviation(got, want.expand_as(got), scored.expand(got.shape[:-1])))
    return torch.cat(parts, 1)


@torch.no_grad()
def divergences_of(
    task: Task, mask: Float[Tensor, "circuit reader writer"], divergence: Divergence | None = None
) -> Float[Tensor, " circuit"]:
    """The mean over scored positions of all items of a divergence from the model (`metrics/divergence.py`).

    None: kl where outputs are categorical, else bounded. The one-hot scores of compiled models are sharpened for kl.
    """
    outcome = task.outcome
    if divergence is None:
        divergence = "kl" if outcome.categorical else "bounded"
    temperature = 1.0 if outcome.criterion == "kl" else sharp_temperature(task.model.spec.d_out)
    total, n = mask.new_zeros(len(mask)), 0
    for items, got in _outputs(task, mask):
        want, scored = _wanted(task, items)
        part = int(scored.sum())
        if divergence == "kl":
            total += kl(got, want, scored, temperature) * part
        else:
            total += bounded(got, want, scored, outcome.scale) * part
        n += part
    return total / max(n, 1)


def _wanted(task: Task, items: Int[Tensor, "item 2"]) -> tuple[Tensor, Tensor]:
    clean = items[:, 0]
    return task.reference[clean], task.scored[clean]


def _outputs(task: Task, mask: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Items and the outputs of every mask on them, part by part."""
    spec, live = task.model.spec, live_writers(mask, task.graph)
    a_place = (int(live.sum()) + 4 * task.graph.n_heads) * spec.d_model + spec.d_out
    each = len(mask) * task.tokens.shape[1] * a_place
    for items in task.items.split(max(1, CHUNK_FLOATS // each)):
        yield items, task.outputs(mask, items, live=live)
