"""Edge pruning judges candidates by their worst item, and returns the best one with its own scores.

No steps from gates that are more likely shut than open give the empty circuit, at every try. With a tolerance that its mean
item meets and its worst item does not, it is refused each time: as many whole candidates are run as there are tries. With a
tolerance that nothing meets, several tries give several circuits, and the scores returned are those of the circuit returned;
a wrong candidate after a right one changes neither. If the first candidate is accepted, restarts near it are tried: they take
steps, and if every circuit counts as right they end with fewer edges, however large the deviations.

Restarts follow samples as `training/cross_entropy.py` describes. Among the samples that are right on every item of the step
and keep fewer edges than the known circuit, those that keep the fewest are the elite: p <- p + rate (their mean - p). If
there are none, the restart begins again. A sample that has the same edges on paths to `out` as one that was wrong in an
earlier step is no elite. A sample that keeps all edges of the known circuit is right, but not an elite.
"""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.methods import EdgePruningScoreFunction
from edgeprune_core.methods.candidates import Candidates, Restarts
from edgeprune_core.methods.edge_pruning_score_function import Kicks
from edgeprune_core.task import Task
from edgeprune_core.training import cross_entropy
from edgeprune_core.training.cross_entropy import EliteSettings, train_by_elites
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.score_function import ScoreSettings
from tracrcheck.invariants.base import Violation, Violations, close, equal, invariant
from tracrcheck.invariants.by_score import with_middling_tolerance, wrong_by_hand
from tracrcheck.invariants.circuits import circuit_of
from tracrcheck.invariants.determinism import QUICK
from tracrcheck.invariants.subjects import Subject, generator_of, is_random, with_tolerance
from tracrcheck.invariants.unneeded import joined

CLOSE = 1e-5  # of float32 probabilities
TRIES = 3
TIGHT = 1e-4  # far above what rounding to float32 moves, and far below what most edges do
SETTINGS = EliteSettings(most=24, patience=2, follow=3, screens=(2, 3), per_edge=2)
NO_KICKS = Kicks(rounds=0)


@invariant(
    "candidates are judged by their worst item; the best is returned with its scores; restarts are tried",
    applies=is_random,
)
def candidates(subject: Subject, seed: int) -> Violations:
    task = subject.tasks["resample"]
    off = task.deviations(Circuit.empty(task.graph))[0]
    between = with_tolerance(task, float(off.mean() + off.max()) / 2)
    still = EdgePruningScoreFunction(
        score=ScoreSettings(steps=0, start=-1.0), kicks=NO_KICKS, restarts=Restarts(count=TRIES - 1)
    )
    runs = still(between).hard_evaluations
    yield from equal("candidates run where the mean item is right and the worst is not", runs, TRIES)
    moving = EdgePruningScoreFunction(
        score=ScoreSettings(steps=3, circuits=8, start=0.3, off=-9.0),
        kicks=NO_KICKS,
        restarts=Restarts(count=TRIES),
    )
    found = moving(with_tolerance(task, 1e-12))
    assert found.scores is not None
    own = circuit_of(task.graph, found.scores > 0).connected()
    yield from equal("the circuit returned, and that of its scores", found.circuit, own)
    yield from _best_of_two(task)
    yield from _restarts(task)


def _best_of_two(task: Task) -> Violations:
    """Given the full circuit and then the empty one, which fails, it returns the former and its scores."""
    graph = task.graph
    run = Candidates(with_tolerance(task, TIGHT))
    for circuit, score in ((Circuit.full(graph), 1.0), (Circuit.empty(graph), 0.0)):
        run.consider(circuit, torch.full((graph.n_edges,), score))
    assert run.scores is not None
    yield from equal(
        "the circuit returned of a right and a wrong candidate", run.circuit, Circuit.full(graph)
    )
    yield from close("the scores of a right candidate, before a wrong one", run.scores, 1.0, 0)


def _restarts(task: Task) -> Violations:
    always = with_tolerance(task, 1e9)
    short = replace(QUICK, score=ScoreSettings(steps=2, circuits=4))
    without, near = (replace(short, kicks=kicks)(always) for kicks in (NO_KICKS, QUICK.kicks))
    if not without.steps < near.steps:
        yield Violation(
            "steps with restarts near an accepted circuit", near.steps, f"more than {without.steps}"
        )
    if not len(near.circuit) < len(without.circuit):
        wanted = f"fewer than {len(without.circuit)}"
        yield Violation("edges after restarts where every circuit is accepted", len(near.circuit), wanted)


@invariant(
    "restarts follow the right samples that keep the fewest edges, as computed by hand", applies=is_random
)
def elites_by_hand(subject: Subject, seed: int) -> Violations:
    task = subject.tasks["resample"]
    middling, draw = with_middling_tolerance(task, seed), generator_of(seed)
    most = torch.rand(task.graph.n_edges, generator=draw) < 0.9
    yield from _followed_as_by_hand(middling, most, draw)
    # Hardly any edge can go, not even those of the positions, if inputs are long enough that every head has something
    # to choose from: a sample that keeps them all is right, but no improvement.
    zero = subject.tasks["zero"]
    long = zero.valid[zero.items[:, 0]].all(1)
    strict = with_tolerance(replace(zero, items=zero.items[long]), TIGHT)
    yield from _followed_as_by_hand(strict, torch.ones_like(most), draw)


def _followed_as_by_hand(task: Task, known: Tensor, draw: torch.Generator) -> Violations:
    pool = ItemPool(len(task.items), 4, 2, draw)
    samples, rows = [], []
    sample, shown = cross_entropy._sample, pool.draw

    def sampled(*args) -> Tensor:
        samples.append(sample(*args))
        return samples[-1]

    def drawn() -> Tensor:
        rows.append(shown())
        return rows[-1]

    with mock.patch.object(cross_entropy, "_sample", sampled), mock.patch.object(pool, "draw", drawn):
        found = train_by_elites(task, SETTINGS, known, pool, set(), outside=True)
    want = _followed(task, known, samples, rows)
    yield from equal("whether something smaller was found", found.p is not None, want is not None)
    if found.p is not None and want is not None:
        yield from close("P(kept) after a restart", found.p, want, CLOSE)


def _followed(task: Task, known: Tensor, samples: list[Tensor], rows: list[Tensor]) -> Tensor | None:
    start = torch.where(known, 1.0, SETTINGS.outside)
    p, followed, failed = start, 0, set()
    for gates, shown in zip(samples, rows, strict=True):
        kept = [int(row[known].sum()) for row in gates]
        wrong = wrong_by_hand(task, gates, shown).any(1).tolist()
        alike = [frozenset(joined(circuit_of(task.graph, row > 0))) for row in gates]
        fewer = [i for i in range(len(gates)) if kept[i] < int(known.sum())]
        right = [i for i in fewer if not wrong[i] and alike[i] not in failed]
        failed |= {alike[i] for i in fewer if wrong[i]}
        if not right:
            p, followed = start, 0
            continue
        least = min(kept[i] for i in right)
        best = torch.stack([gates[i] for i in right if kept[i] == least])
        p, followed = p + SETTINGS.rate * (best.mean(0) - p), followed + 1
    return p if followed else None
