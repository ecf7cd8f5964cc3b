"""Edge pruning judges candidates by their worst item, and returns the best one with its own scores.

No steps from gates that are more likely shut than open give the empty circuit, at every try. With a tolerance that its mean
item meets and its worst item does not, it is refused each time: as many whole candidates are run as there are tries. With a
tolerance that nothing meets, several tries give several circuits, and the scores returned are those of the circuit returned;
a wrong candidate after a right one changes neither. If the first candidate is accepted, restarts near it are tried: they take
steps, and if every circuit counts as right they end with fewer edges, however large the deviations.

Restarts follow samples as `training/cross_entropy.py` describes. Among the samples that are right on every item of the step
and keep fewer edges than the known circuit, those that keep the fewest are the elite: p <- p + rate (their mean - p). If
there are none, the restart begins again. A sample that keeps all edges of the known circuit is right, but not an elite.
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
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.by_score import with_middling_tolerance, wrong_by_hand
from tracrcheck.invariants.quick import QUICK
from tracrcheck.invariants.subjects import Subject, generator_of, is_program

CLOSE = 1e-5  # of float32 probabilities
TRIES = 3
TIGHT = 1e-4  # far above what rounding to float32 moves, and far below what most edges do
SETTINGS = EliteSettings(most=24, patience=2, follow=3, screens=(2, 3), per_edge=2)
NO_KICKS = Kicks(rounds=0)


def candidates(subject: Subject, seed: int) -> Violation | None:
    task = subject.tasks["resample"]
    off = task.deviations(Circuit.empty(task.graph))[0]
    between = replace(task, outcome=replace(task.outcome, tolerance=float(off.mean() + off.max()) / 2))
    still = EdgePruningScoreFunction(
        score=ScoreSettings(steps=0, start=-1.0), kicks=NO_KICKS, restarts=Restarts(count=TRIES - 1)
    )
    if (runs := still(between).hard_evaluations) != TRIES:
        return Violation("candidates run where the mean item is right and the worst is not", runs, TRIES)
    never = replace(task, outcome=replace(task.outcome, tolerance=1e-12))
    moving = EdgePruningScoreFunction(
        score=ScoreSettings(steps=3, circuits=8, start=0.3, off=-9.0),
        kicks=NO_KICKS,
        restarts=Restarts(count=TRIES),
    )
    found = moving(never)
    assert found.scores is not None
    kept = zip(task.graph.edges, (found.scores > 0).tolist(), strict=True)
    own = Circuit(task.graph, frozenset(edge for edge, on in kept if on)).connected()
    if found.circuit != own:
        return Violation("the circuit returned", f"{len(found.circuit)} edges", f"{len(own)}, of its scores")
    return _best_of_two(task) or _restarts(task)


def _best_of_two(task: Task) -> Violation | None:
    """Given the full circuit and then the empty one, which fails, it returns the former and its scores."""
    graph = task.graph
    scores = torch.ones(graph.n_edges), torch.zeros(graph.n_edges)
    strict = replace(task, outcome=replace(task.outcome, tolerance=TIGHT))
    run = Candidates(strict)
    for circuit, own in zip((Circuit.full(graph), Circuit.empty(graph)), scores, strict=True):
        run.consider(circuit, own)
    if run.circuit != Circuit.full(graph) or run.scores is not scores[0]:
        got = "the full circuit" if run.circuit == Circuit.full(graph) else "the empty one"
        return Violation(
            "what is kept of a right candidate and a wrong one", f"{got}, scores of the other", "of one"
        )
    return None


def _restarts(task: Task) -> Violation | None:
    always = replace(task, outcome=replace(task.outcome, tolerance=1e9))
    short = replace(QUICK, score=ScoreSettings(steps=2, circuits=4))
    without, near = (replace(short, kicks=kicks)(always) for kicks in (NO_KICKS, QUICK.kicks))
    if not without.steps < near.steps:
        return Violation(
            "steps with restarts near an accepted circuit", near.steps, f"more than {without.steps}"
        )
    if not len(near.circuit) < len(without.circuit):
        wanted = f"fewer than {len(without.circuit)}"
        return Violation("edges after restarts where every circuit is accepted", len(near.circuit), wanted)
    return None


def elites_by_hand(subject: Subject, seed: int) -> Violation | None:
    task = subject.tasks["resample"]
    middling, draw = with_middling_tolerance(task, seed), generator_of(seed)
    most = torch.rand(task.graph.n_edges, generator=draw) < 0.9
    if wrong := _followed_as_by_hand(middling, most, draw):
        return wrong
    # Hardly any edge can go, also of the positions, where inputs are long enough that every head has something
    # to choose from: a sample that keeps them all is right, but no improvement.
    zero = subject.tasks["zero"]
    long = zero.valid[zero.items[:, 0]].all(1)
    strict = replace(zero, items=zero.items[long], outcome=replace(zero.outcome, tolerance=TIGHT))
    return _followed_as_by_hand(strict, torch.ones_like(most), draw)


def _followed_as_by_hand(task: Task, known: Tensor, draw: torch.Generator) -> Violation | None:
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
        found = train_by_elites(task, SETTINGS, known, pool, outside=True)
    want = _followed(task, known, samples, rows)
    if (found.p is None) != (want is None):
        return Violation("whether something smaller was found", found.p is not None, want is not None)
    if found.p is not None and want is not None and not (off := (found.p - want).abs().max()) <= CLOSE:
        return Violation("P(kept) after a restart", f"off by {float(off):.2g}", f"at most {CLOSE:g}")
    return None


def _followed(task: Task, known: Tensor, samples: list[Tensor], rows: list[Tensor]) -> Tensor | None:
    start = torch.where(known, 1.0, SETTINGS.outside)
    p, followed = start, 0
    for gates, shown in zip(samples, rows, strict=True):
        kept = [int(row[known].sum()) for row in gates]
        wrong = wrong_by_hand(task, gates, shown).any(1).tolist()
        right = [i for i, bad in enumerate(wrong) if not bad and kept[i] < int(known.sum())]
        if not right:
            p, followed = start, 0
            continue
        least = min(kept[i] for i in right)
        best = torch.stack([gates[i] for i in right if kept[i] == least])
        p, followed = p + SETTINGS.rate * (best.mean(0) - p), followed + 1
    return p if followed else None


CANDIDATES = Invariant(
    name="candidates",
    statement="candidates are judged by their worst item; the best is returned with its scores; restarts are tried",
    check=candidates,
    applies=lambda subject: not is_program(subject),
)
ELITES_BY_HAND = Invariant(
    name="elites_by_hand",
    statement="restarts follow the right samples that keep the fewest edges, as computed by hand",
    check=elites_by_hand,
    applies=lambda subject: not is_program(subject),
)
