"""How well edge scores rank the required edges above all others.

Edges are the examples, required edges the positives. With P positives among E edges:

    precision, recall, F1   of the circuit that was returned (not of the scores)
    AUROC                   the chance that a positive outscores a negative; a tie counts half (Mann-Whitney)
    average precision       the sum over distinct scores, largest first, of (gain in recall) x (precision there):
                            edges with equal scores enter together, so that their order cannot matter
    exact threshold         whether some threshold keeps exactly the required edges: every positive strictly
                            outscores every negative

Scores that differ by at most 1e-9 of the largest (1e-6 in float32) are equal (`edgeprune_core/ties.py`).

AUROC and average precision are those of scikit-learn (`roc_auc_score`, `average_precision_score`), but undefined,
not 0, where there is no positive (or, for AUROC, no negative).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgeprune_core.ties import levelled


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Values between 0 and 1; None for 0/0."""

    precision: float | None
    recall: float | None
    f1: float | None
    auroc: float | None
    average_precision: float | None
    exact_threshold: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def rank(
    scores: Sequence[float],
    found: Sequence[bool],
    truth: Sequence[bool],
    *,
    others: Sequence[Sequence[bool]] = (),
) -> Ranking:
    """From scores, circuit and truth per edge. `others`: further correct circuits that a threshold may give."""
    hits = sum(f and t for f, t in zip(found, truth, strict=True))
    scores = levelled(scores)
    ties = _ties(scores, truth)
    return Ranking(
        precision=_share(hits, sum(found)),
        recall=_share(hits, sum(truth)),
        f1=_share(2 * hits, sum(found) + sum(truth)),
        auroc=_auroc(ties),
        average_precision=_average_precision(ties),
        exact_threshold=any(_separable(_ties(scores, right)) for right in (truth, *others)),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def tied(scores: Sequence[float]) -> list[list[int]]:
    """The places of equal scores, largest score first."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    return [list(tie) for _, tie in itertools.groupby(order, key=lambda i: scores[i])]


def _ties(scores: Sequence[float], truth: Sequence[bool]) -> list[tuple[int, int]]:
    """(positives, negatives) per distinct score, largest score first."""
    assert len(scores) == len(truth)
    positives = [(sum(truth[i] for i in tie), len(tie)) for tie in tied(scores)]
    return [(n, of - n) for n, of in positives]


def _auroc(ties: Sequence[tuple[int, int]]) -> float | None:
    above, won = 0, 0.0
    for positives, negatives in ties:
        won += negatives * (above + positives / 2)
        above += positives
    return won / (above * below) if (below := sum(n for _, n in ties)) and above else None


def _average_precision(ties: Sequence[tuple[int, int]]) -> float | None:
    total, kept, hits, area = sum(p for p, _ in ties), 0, 0, 0.0
    for positives, negatives in ties:
        kept, hits = kept + positives + negatives, hits + positives
        area += positives * hits / kept
    return area / total if total else None


def _separable(ties: Sequence[tuple[int, int]]) -> bool:
    """No score has both kinds, and no positive scores below a negative."""
    kinds = [positives > 0 for positives, _ in ties]
    return all(not (p and n) for p, n in ties) and kinds == sorted(kinds, reverse=True)
