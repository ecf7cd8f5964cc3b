"""CPR and CMD of MIB: areas under and around a curve of faithfulness over ten shares of the edges."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from edgeprune_core.circuit import Circuit
from tests import zoo
from tracrcheck.trained.mib import SHARES, areas, curve, curve_of_circuits
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

SETTING = Setting(ablation="resample")


def test_areas_are_sums_of_trapezoids():
    assert areas((0.0, 0.5, 1.0), (0.0, 0.5, 1.0)) == pytest.approx((0.5, 0.5, 0.5))
    assert areas((0.1, 1.0), (1.0, 1.0)) == pytest.approx((0.9, 0.0, 0.0))


def test_where_faithfulness_crosses_1_the_trapezoid_is_too_large():
    cpr, cmd, exact = areas((0.0, 1.0), (0.5, 1.5))
    assert (cpr, cmd) == pytest.approx((1.0, 0.5))
    steps = 10_000
    assert exact == pytest.approx(
        sum(abs(1 - (0.5 + (i + 0.5) / steps)) for i in range(steps)) / steps, abs=1e-6
    )


def test_a_ranking_with_the_required_edges_first_reaches_1_with_them():
    task = task_of(zoo.compiled("hist"), SETTING)
    required = certify(task, SETTING).required
    scores = {edge: 1.0 + (edge in required) for edge in task.graph.edges if edge.writer.kind != "pos"}
    found = curve(task, scores)
    assert found.edges == tuple(int(share * len(scores)) for share in SHARES)
    assert found.faithfulness[-1] == pytest.approx(1)
    with_all = [f for n, f in zip(found.edges, found.faithfulness, strict=True) if n >= len(required)]
    assert with_all == pytest.approx([1] * len(with_all))
    assert found.faithfulness[0] == pytest.approx(0), "no edge is kept"
    assert 0 < found.cmd_exact <= found.cmd < 1


def test_signs_of_scores_do_not_matter():
    task = task_of(zoo.compiled("hist"), SETTING)
    required = certify(task, SETTING).required
    scores = {edge: 1.0 + (edge in required) for edge in task.graph.edges if edge.writer.kind != "pos"}
    for sign in (1, -1):  # the required edges have the largest scores, then the lowest
        turned = {edge: sign * score if edge in required else -sign * score for edge, score in scores.items()}
        assert curve(task, scores) == curve(task, turned)


def test_of_circuits_each_share_takes_the_largest_that_is_no_larger():
    task = task_of(zoo.compiled("hist"), SETTING)
    required = certify(task, SETTING).required
    found = curve_of_circuits(task, [Circuit.full(task.graph), required, Circuit.empty(task.graph)])
    counted = sum(edge.writer.kind != "pos" for edge in required)
    n_all = sum(edge.writer.kind != "pos" for edge in task.graph.edges)
    assert found.edges == tuple(int(share * n_all) for share in SHARES)
    wanted = [float(n >= counted) for n in found.edges]
    assert wanted.count(1.0) in range(1, 10)
    assert found.faithfulness == pytest.approx(wanted)
    alone = curve_of_circuits(task, [])
    assert alone.faithfulness == pytest.approx([0.0] * 9 + [1.0]), "all edges are the whole model"


def test_a_curve_whose_areas_are_not_those_of_its_faithfulness_is_not_consistent():
    task = task_of(zoo.compiled("hist"), SETTING)
    found = curve_of_circuits(task, [])
    assert found.consistent
    assert not replace(found, cmd=found.cmd + 1e-9).consistent
    assert found.near(replace(found, faithfulness=tuple(f + 1e-6 for f in found.faithfulness)))
    assert not found.near(replace(found, faithfulness=tuple(f + 1e-2 for f in found.faithfulness)))
    assert not found.near(replace(found, faithfulness=None))


def test_a_model_that_does_no_more_than_the_empty_circuit_has_no_curve(monkeypatch):
    monkeypatch.setattr("tracrcheck.trained.mib._margin", lambda task, circuit: 1.0)
    task = task_of(zoo.compiled("hist"), SETTING)
    found = curve(task, dict.fromkeys(Circuit.full(task.graph), 1.0))
    assert (found.faithfulness, found.cpr, found.cmd, found.cmd_exact) == (None, None, None, None)
    assert (
        found.sentence() == "MIB: undefined, since the model's logit difference is that of the empty circuit"
    )
    assert not any(math.isnan(x) for x in found.shares)
