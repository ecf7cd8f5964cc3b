"""How far masks move the model's outputs over a task's whole list, computed in parts so that memory is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from edgeprune_core.engine import live_writers, run
from edgeprune_core.metrics.divergence import bounded, kl
from edgeprune_core.task import CHUNK_FLOATS, HELD_FLOATS, Task

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
    task: Task,
    mask: Float[Tensor, "circuit reader writer"],
    divergence: Divergence | None = None,
    *,
    whole_before: int = 0,
) -> Float[Tensor, " circuit"]:
    """The mean over scored positions of all items of a divergence from the model (`metrics/divergence.py`).

    None: kl where outputs are categorical, else bounded. The one-hot scores of compiled models are sharpened for kl.
    whole_before: a layer; the caller guarantees that the masks keep every edge into earlier ones.
    """
    outcome = task.outcome
    if divergence is None:
        divergence = "kl" if outcome.categorical else "bounded"
    total, n = mask.new_zeros(len(mask)), 0
    for items, got in _outputs(task, mask, whole_before):
        want, scored = _wanted(task, items)
        part = int(scored.sum())
        if divergence == "kl":
            total += kl(got, want, scored, task.temperature) * part
        else:
            total += bounded(got, want, scored, outcome.scale) * part
        n += part
    return total / max(n, 1)


def _wanted(task: Task, items: Int[Tensor, "item 2"]) -> tuple[Tensor, Tensor]:
    clean = items[:, 0]
    return task.reference[clean], task.scored[clean]


def _outputs(task: Task, mask: Tensor, whole_before: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields items and the outputs of every mask on them, part by part."""
    spec, live = task.model.spec, live_writers(mask, task.graph)
    a_place = (int(live.sum()) + 4 * task.graph.n_heads) * spec.d_model + spec.d_out
    each = len(mask) * task.tokens.shape[1] * a_place
    for items in task.items.split(max(1, CHUNK_FLOATS // each)):
        if whole_before and _held(task):
            yield items, _outputs_from(task, mask, items, live, whole_before)
        else:
            yield items, task.outputs(mask, items, live=live)


def _held(task: Task) -> bool:
    """Whether what every writer writes is small enough to keep in memory, as for a task's own background."""
    return task.tokens.numel() * len(task.graph.writers) * task.model.spec.d_model <= HELD_FLOATS


def _outputs_from(task: Task, mask: Tensor, items: Tensor, live: Tensor, layer: int) -> Tensor:
    clean = items[:, 0]
    return run(
        task.model,
        task.tokens[clean],
        mask,
        task.background(items),
        valid=task.valid[clean],
        places=None if task.places is None else task.places[clean],
        live=live,
        first_layer=layer,
        written=task.writers[:, clean],
    )
