"""Rankings: figures of scikit-learn 1.9.1 on fixed lists, a naive second opinion on drawn ones, and ties."""

from __future__ import annotations

import itertools
import random

import pytest

from tracrcheck.grading.score_metrics import rank

# scores, truth, roc_auc_score, average_precision_score
KNOWN = [
    (
        [0.1, 0.4, 0.35, 0.8],
        [0, 0, 1, 1],
        0.75,
        0.8333333333333333,
    ),  # the example of scikit-learn's own pages
    ([4, 3, 2, 1], [1, 1, 0, 0], 1.0, 1.0),
    ([1, 2, 3, 4], [1, 1, 0, 0], 0.0, 0.41666666666666663),
    ([1, 1, 1, 1], [1, 0, 0, 0], 0.5, 0.25),
    ([2, 1, 1, 0], [1, 1, 0, 0], 0.875, 0.8333333333333333),
]


def flags(*values):
    return [bool(v) for v in values]


@pytest.mark.parametrize(("scores", "truth", "auroc", "average_precision"), KNOWN)
def test_the_areas_are_those_of_scikit_learn(scores, truth, auroc, average_precision):
    got = rank(scores, flags(*truth), flags(*truth))
    assert got.auroc == pytest.approx(auroc)
    assert got.average_precision == pytest.approx(average_precision)


def naive(scores, truth):
    """The areas by their definitions: over every pair, and over every threshold."""
    pairs = [(s > t) + (s == t) / 2 for s, p in zip(scores, truth, strict=True) if p
             for t, q in zip(scores, truth, strict=True) if not q]  # fmt: skip
    area, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        kept = [p for s, p in zip(scores, truth, strict=True) if s >= threshold]
        recall = sum(kept) / sum(truth)
        area += (recall - recall_before) * sum(kept) / len(kept)
        recall_before = recall
    exact = any([s >= t for s in scores] == truth for t in (*scores, float("inf")))
    return sum(pairs) / len(pairs), area, exact


def test_drawn_lists_with_many_ties_agree_with_a_naive_count():
    draw = random.Random(0)
    seen = set()
    for _ in range(300):
        n = draw.randint(2, 9)
        scores = [draw.randint(0, 4) / 2 for _ in range(n)]
        truth = [draw.random() < 0.4 for _ in range(n)]
        if len(set(truth)) < 2:
            continue
        got = rank(scores, truth, truth)
        auroc, area, exact = naive(scores, truth)
        assert got.auroc == pytest.approx(auroc)
        assert got.average_precision == pytest.approx(area)
        assert got.exact_threshold is exact
        seen.add(exact)
    assert seen == {True, False}


def test_precision_recall_and_f1_are_of_the_circuit():
    got = rank([0, 0, 0, 0], flags(1, 1, 0, 0), flags(1, 0, 1, 1))
    assert (got.precision, got.recall, got.f1) == (0.5, pytest.approx(1 / 3), 0.4)


def test_what_is_0_of_0_is_undefined():
    nothing = rank([1, 2], flags(0, 0), flags(0, 0))
    assert nothing.to_json() == {
        "precision": None, "recall": None, "f1": None, "auroc": None, "average_precision": None,
        "exact_threshold": True,
    }  # fmt: skip
    everything = rank([1, 2], flags(0, 0), flags(1, 1))
    assert (everything.precision, everything.recall, everything.f1) == (None, 0.0, 0.0)
    assert (everything.auroc, everything.average_precision, everything.exact_threshold) == (None, 1.0, True)


def test_a_tie_across_the_border_leaves_no_exact_threshold():
    assert rank([3, 2, 1], flags(1, 1, 0), flags(1, 1, 0)).exact_threshold
    assert not rank([3, 2, 2], flags(1, 1, 0), flags(1, 1, 0)).exact_threshold


def test_a_threshold_may_meet_another_right_circuit():
    scores, truth, other = [1, 2, 3], flags(1, 0, 0), flags(0, 0, 1)
    assert not rank(scores, truth, truth).exact_threshold
    assert rank(scores, truth, truth, others=[other]).exact_threshold


def test_infinite_scores_are_ranked():
    assert rank([float("inf"), 0.0, float("-inf")], flags(1, 0, 0), flags(1, 0, 0)).exact_threshold


def test_the_order_of_the_edges_changes_nothing():
    rows = [(2, True), (2, False), (1, True), (0, False)]
    results = {
        rank([s for s, _ in order], [t for _, t in order], [t for _, t in order])
        for order in itertools.permutations(rows)
    }
    assert len(results) == 1


def test_scores_that_only_rounding_separates_from_0_are_ties():
    """What EAP scores four required edges of `sort` with, and useless ones: 2e-20 to 9e-19, and 0."""
    truth = flags(1, 1, 1, 0, 0)
    noisy, clean = (
        rank(scores, truth, truth) for scores in ([3.8, 2e-20, 9e-19, 0.0, 0.0], [3.8, 0, 0, 0, 0])
    )
    assert noisy == clean
    assert noisy.auroc == pytest.approx((2 + 2 * 1) / 6)
    assert not noisy.exact_threshold
    assert rank([3.8, 1e-8, 2e-8, 0.0, 0.0], truth, truth).exact_threshold
