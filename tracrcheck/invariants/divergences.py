"""Divergences match their definitions, in whatever batches a list is run.

`kl` is the mean over scored positions of sum_v p_v log(p_v / q_v), where p and q are softmax(outputs / T) of the model and
the circuit. `bounded` is the mean of 1 - exp(-d / scale^2), d the squared distance. `sharp_temperature` is the T with
(V - 1) exp(-1 / T) = doubt / (1 - doubt). Here each is a loop over positions. A list run item by item has the mean of the
whole list.
"""

from __future__ import annotations

import math
from unittest import mock

import torch

from edgeprune_core import task as tasks
from edgeprune_core.metrics.divergence import bounded, kl, sharp_temperature
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, close, invariant, per_size
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.subjects import Subject, with_few_items

CLOSE = 1e-8  # relative to 1 or to the value, of sums of a few hundred terms
DOUBT = 0.01
SCALE = 2.5
ITEMS = 24  # the definitions hold for any list, and the loops are slow


@invariant("divergences are the means of their definitions over scored positions, in whatever batches")
def divergences(subject: Subject, seed: int) -> Violations:
    wanted = DOUBT / (1 - DOUBT)
    for n in (2, 5, 30):
        odds = (n - 1) * math.exp(-1 / sharp_temperature(n, DOUBT))
        yield from close(f"the odds against the right one of {n} values", odds, wanted, CLOSE * wanted)
    task = with_few_items(subject.tasks["resample"], seed, ITEMS)
    mask = mask_of(task, *some_circuits(task.graph, seed))
    with torch.no_grad():
        got = task.outputs(mask, task.items)
    want, scored = task.reference[task.items[:, 0]], task.scored[task.items[:, 0]]
    by_hand = _means(task, got, 1.0)
    for name, found in (("kl", kl(got, want, scored)), ("bounded", bounded(got, want, scored, SCALE))):
        yield from close(name, found, by_hand[name], per_size(by_hand[name], CLOSE))
    means = _means(task, got, sharp_temperature(task.model.spec.d_out))["kl"]
    with mock.patch.object(tasks, "CHUNK_FLOATS", 1):
        parts = task.divergences(mask, "kl")
    yield from close("kl of the list, item by item", parts, means, per_size(means, CLOSE))


def _means(task: Task, got: torch.Tensor, temperature: float) -> dict[str, list[float]]:
    """Name -> values, one per circuit."""
    found: dict[str, list[float]] = {"kl": [], "bounded": []}
    for outputs in got:
        kls, distances = [], []
        for row, (clean, _) in enumerate(task.items.tolist()):
            for place in task.scored[clean].nonzero()[:, 0].tolist():
                a, b = task.reference[clean, place], outputs[row, place]
                p, q = ((x / temperature - (x / temperature).logsumexp(0)) for x in (a, b))
                kls.append(float((p.exp() * (p - q)).sum()))
                distances.append(1 - math.exp(-float(((a - b) ** 2).sum()) / SCALE**2))
        found["kl"].append(sum(kls) / len(kls))
        found["bounded"].append(sum(distances) / len(distances))
    return found
