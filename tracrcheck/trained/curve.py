"""Curves of edges against divergence, and each method's fewest edges at a level of divergence."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from tracrcheck.records.reading import LATER
from tracrcheck.trained.mib import Curve as MibCurve

# Divergences at which methods are compared, in nats.
LEVELS = (0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A circuit of a frontier. setting: what produced it. KL(model || circuit) in nats, averaged over prompts."""

    setting: str
    n_edges: int
    train_kl: float
    held_out_kl: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A method's frontier for one seed, fewest edges first.

    candidates: of its sweep. seconds: of the sweep, judging not counted. peak_mib: the most memory its process had.
    fault: what went wrong, and there are no points. mib: CPR and CMD on the held-out prompts, of its scores, or else of the
    circuits of its sweep.
    """

    method: str
    seed: int
    candidates: int
    seconds: float
    peak_mib: float
    points: tuple[Point, ...]
    fault: str | None = None
    mib: MibCurve | None = field(default=None, metadata=LATER)

    @property
    def is_frontier(self) -> bool:
        """Whether each point has more edges than the last and a lower divergence on the training prompts."""
        pairs = zip(self.points, self.points[1:], strict=False)
        return all(a.n_edges < b.n_edges and a.train_kl > b.train_kl for a, b in pairs)

    def fewest(self, level: float) -> int | None:
        """Edges of the smallest circuit with at most `level` nats on held-out prompts; None where there is none."""
        return min((p.n_edges for p in self.points if p.held_out_kl <= level), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A method at a level. median: over seeds, the higher of the middle two; infinite where that seed does not reach it."""

    method: str
    level: float
    median: float
    by_seed: tuple[int | None, ...]


def standings(curves: Sequence[Curve], levels: Sequence[float] = LEVELS) -> list[Standing]:
    """By level, then in the order in which the methods come."""
    rows = []
    for level in levels:
        for method in dict.fromkeys(c.method for c in curves):
            fewest = tuple(c.fewest(level) for c in curves if c.method == method)
            median = statistics.median([math.inf if n is None else n for n in fewest])
            rows.append(Standing(method=method, level=level, median=median, by_seed=fewest))
    return rows
