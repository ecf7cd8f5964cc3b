"""Restarts near a circuit, trained towards the samples that do with fewest of its edges.

Training from all edges ends where no edge can go by itself, which need not be a smallest circuit: paths that cancel
go only together, and a shorter way may be shut by an edge of the longer one. Such moves are rare in samples, and
a mean over samples does not see them. So here each sampled circuit is ranked instead: best are those within the
tolerance on every item of the step that keep fewest edges of the known circuit C. With q the equal weights on the
best ones (the elites), gates move by

    p  <-  p + rate (E_q[g] - p),

which is the natural gradient of the weighted likelihood in the mean parameters of independent gates: information-
geometric optimisation (Ollivier et al. 2017, JMLR 18, section 2.3), for gates the cross-entropy method (Rubinstein
1999). Gates of C start at 1 - off/|C|, so that a sample lacks about `off` of them; a pair that can go is then missing
in (off/|C|)^2 of the samples, and the first that is found leads.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from edgeprune_core.task import Task
from edgeprune_core.training.gates import stratified_uniform
from edgeprune_core.training.pool import ItemPool
from edgeprune_core.training.score import wrong_items


@dataclass(frozen=True, slots=True, kw_only=True)
class EliteSettings:
    """Settings of restarts; none depends on the model or program.

    off:       edges of the known circuit that a sample lacks at first, on average.
    outside:   P(kept) of all other gates, where they take part.
    per_edge, most: circuits sampled a step, for each edge of the known circuit, and at most.
    patience:  steps without a sample that does with fewer edges, after which none is expected.
    follow, rate: steps that follow such samples, and how far each goes.
    """

    off: float = 2.5
    outside: float = 0.75
    per_edge: int = 8
    most: int = 256
    patience: int = 12
    follow: int = 12
    rate: float = 0.3


@dataclass(frozen=True)
class Followed:
    """P(kept) of every gate, None where no sample did with fewer edges of the known circuit; and steps taken."""

    p: Float[Tensor, " edge"] | None
    steps: int


def train_by_elites(
    task: Task, settings: EliteSettings, known: Bool[Tensor, " edge"], outside: float, pool: ItemPool
) -> Followed:
    """One restart. `outside`: P(kept) of gates not in the known circuit, at first; 0 keeps them shut."""
    n = int(known.sum())
    start = torch.where(known, max(0.5, 1 - settings.off / n), outside)
    circuits = min(settings.most, settings.per_edge * n)
    p, steps, idle, followed = start, 0, 0, 0
    while idle < settings.patience and followed < settings.follow:
        gates = (stratified_uniform(circuits, p.shape, pool.generator) < p).to(p.dtype)
        rows = pool.draw()
        wrong = wrong_items(task, gates, rows)
        pool.learn(rows, wrong)
        steps += 1
        kept = gates[:, known].sum(1)
        elite = _elites(~wrong.any(1), kept)
        if elite.any() and kept[elite][0] < n:
            p = p + settings.rate * (gates[elite].mean(0) - p)
            followed += 1
        else:  # nothing found, or what was found fails on other items
            p, followed, idle = start, 0, idle + 1
    return Followed(p if followed else None, steps)


def _elites(ok: Bool[Tensor, " circuit"], kept: Float[Tensor, " circuit"]) -> Bool[Tensor, " circuit"]:
    """The ok circuits that keep fewest."""
    return ok & (kept == kept[ok].min()) if ok.any() else ok
