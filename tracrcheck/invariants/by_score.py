"""The score-function trainer takes the steps that this file writes out by hand.

Noise and items are the same; the rest is written out from `training/score_function.py`. A gate is open with probability
p = sigmoid(log_alpha). The circuits that are wrong on the fewest items count as right, and

    log_alpha  <-  min(top, log_alpha + rate (clip[(E(g | right) - E(g)) / (p (1 - p))] - penalty)),

where the rate is reduced in proportion if fewer than `enough` circuits are right. A gate that falls to `off` is shut for
good, and so is every gate whose edge then has no open path to `out`. The circuit is the gates that are more likely open than
not. A circuit is wrong on an item if a scored coordinate moves by more than the tolerance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeprune_core.mask import mask_from_edge_values
from edgeprune_core.task import Task
from edgeprune_core.training.gates import stratified_uniform
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.score_function import Chains, ScoreSettings, train_by_score
from tracrcheck.invariants.base import Violation, Violations, close, invariant
from tracrcheck.invariants.circuits import circuit_of, some_circuits
from tracrcheck.invariants.subjects import Subject, generator_of, has_layernorm, is_random, with_tolerance
from tracrcheck.invariants.unneeded import joined

CLOSE = 1e-4  # of float32 log-alphas of order 1; a step moves them by 0.2
APART = 1e-6  # between a tolerance and the deviation it is derived from
SETTINGS = ScoreSettings(steps=9, circuits=8, fresh=3, kept=2, start=2.2, off=1.1, enough=3)

OPEN = Chains.starting_at(torch.tensor([[-1.0, 1.0, -torch.inf]]))


def with_middling_tolerance(task: Task, seed: int) -> Task:
    """One with which circuits that keep most edges are right on about half of the items, never because of rounding."""
    off = task.deviations(some_circuits(task.graph, seed, (0.9,) * 4))
    return with_tolerance(task, float(off.median()) * (1 + APART) + APART)


def wrong_by_hand(task: Task, gates: Tensor, rows: Tensor) -> Tensor:
    """`circuit item`."""
    items = task.items[rows]
    with torch.no_grad():
        got = task.outputs(mask_from_edge_values(task.graph, gates.to(task.model.dtype)), items)
    off = (got - task.reference[items[:, 0]]).abs().amax(-1)
    return torch.where(task.scored[items[:, 0]], off, 0.0).amax(-1) > task.outcome.tolerance


@invariant(
    "the score-function trainer takes the steps of its natural gradient, computed by hand", applies=is_random
)
def score_by_hand(subject: Subject, seed: int) -> Violations:
    task = with_middling_tolerance(subject.tasks["resample"], seed)
    start = torch.full((1, task.graph.n_edges), SETTINGS.start)
    found = train_by_score(task, SETTINGS, start, _pool(task, seed))
    want, shut = _trained(task, _pool(task, seed))
    yield from close("log-alphas after training", found.log_alpha[0][~shut], want[~shut], CLOSE)
    yield from close("gates shut for good", found.closed[0], shut, 0)
    yield from close("the circuit", found.open()[0], (want > 0) & ~shut, 0)
    yield from close("gates more likely open, of -1, 1, shut", OPEN.open()[0], [False, True, False], 0)


def _pool(task: Task, seed: int) -> ItemPool:
    return ItemPool(len(task.items), SETTINGS.fresh, SETTINGS.kept, generator_of(seed))


def _trained(task: Task, pool: ItemPool) -> tuple[Tensor, Tensor]:
    value, shut = torch.full((task.graph.n_edges,), SETTINGS.start), torch.zeros(task.graph.n_edges).bool()
    for _ in range(SETTINGS.steps):
        p = torch.where(shut, 0.0, torch.sigmoid(value))
        noise = stratified_uniform(SETTINGS.circuits, (1, len(p)), pool.generator)[:, 0]
        gates = (noise < p).float()
        rows = pool.draw()
        wrong = wrong_by_hand(task, gates, rows)
        pool.remember_failures(rows, wrong)
        count = wrong.sum(1)
        right = gates[count == count.min()]
        gain = (right.mean(0) - gates.mean(0)) / (p * (1 - p)).clamp(min=1e-3)
        rate = SETTINGS.learning_rate * min(1.0, len(right) / SETTINGS.enough)
        value = value + rate * (gain.clamp(-SETTINGS.clip, SETTINGS.clip) - SETTINGS.penalty)
        value = value.clamp(max=SETTINGS.top)
        falling = (value <= SETTINGS.off) & ~shut
        shut = shut | falling
        if falling.any():
            names = set(joined(circuit_of(task.graph, ~shut)))
            shut = shut | torch.tensor([str(edge) not in names for edge in task.graph.edges])
    return value, shut


@invariant(
    "all items are drawn, and one on which a nearly right circuit failed is drawn again",
    applies=has_layernorm,
)
def hard_items(subject: Subject, seed: int) -> Violations:
    """A pool over a list of 200 draws all of its items, and repeats those on which a nearly right circuit failed."""
    pool = ItemPool(200, 6, 3, generator_of(seed), memory=10)
    seen = torch.cat([pool.draw() for _ in range(60)]).unique()
    if len(seen) < 100:  # expected: 200 (1 - (1 - 1/200)^360) = 167
        yield Violation("items seen in 60 draws of 6 from 200", len(seen), "more than half")
    rows = torch.tensor([150, 151, 152, 153])
    wrong = torch.tensor([[False, False, True, False], [False] * 4, [True] * 4])
    pool.remember_failures(rows, wrong, n_circuits=1)
    for what, shown in (("the next draw", pool), ("a pool that recalls everything", pool.recalling(2))):
        if 152 not in (drawn := shown.draw().tolist()):
            yield Violation(f"{what}, after a circuit failed on item 152 alone", drawn, "152 among them")
