"""The faithfulness matrix: each cell is what its name says, and the sentence claims no more than the cells support."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.faithfulness import (
    DIRECTIONS,
    Cell,
    Interval,
    _central,
    faithfulness,
)
from edgeprune_core.mask import to_mask
from edgeprune_core.metrics import METRICS
from edgeprune_core.metrics.tau import kendall_tau
from tests import zoo
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

ABLATIONS = ("zero", "mean", "resample")
LENGTHS = (2, 3)


def tasks(name: str):
    return {a: task_of(zoo.compiled(name), Setting(ablation=a, lengths=LENGTHS)) for a in ABLATIONS}


def truth(name: str, ablation: str) -> Circuit:
    setting = Setting(ablation=ablation, lengths=LENGTHS)
    return certify(task_of(zoo.compiled(name), setting), setting).required


def by_name(matrix) -> dict[tuple[str, str, str], Cell]:
    return {(c.ablation, c.direction, c.metric): c for c in matrix.cells}


def test_the_full_circuit_is_the_model_and_the_empty_one_recovers_nothing():
    work = tasks("hist")
    graph = work["zero"].graph
    full = by_name(faithfulness(work, Circuit.full(graph), draws=2))
    empty = by_name(faithfulness(work, Circuit.empty(graph), draws=2))
    assert list(full) == [(a, d, m) for a in ABLATIONS for d in DIRECTIONS for m in METRICS]
    for ablation in ABLATIONS:
        want = {"kl": 0, "recovered": 1, "accuracy": 1, "exact_match": 1, "tau": 1}
        for metric in METRICS:
            kept = full[ablation, "kept", metric]
            assert kept.circuit.mean == pytest.approx(want[metric], abs=1e-9)
            assert kept.model == pytest.approx(kept.circuit.mean, abs=1e-9)
            assert empty[ablation, "kept", metric].circuit.mean == pytest.approx(kept.empty, abs=1e-9)
            assert full[ablation, "knocked_out", metric].circuit.mean == pytest.approx(kept.empty, abs=1e-9)
        assert empty[ablation, "kept", "recovered"].circuit.mean == pytest.approx(0, abs=1e-9)


def test_a_true_circuit_kept_alone_is_the_model_under_the_ablation_it_is_true_for():
    work = tasks("hist")
    found = by_name(faithfulness(work, truth("hist", "resample"), draws=10))
    assert found["resample", "kept", "exact_match"].circuit == Interval(mean=1.0, low=1.0, high=1.0)
    assert all(found["resample", "kept", metric].supports for metric in METRICS)


def test_knocked_out_is_everything_but_the_circuit():
    work = tasks("hist")
    circuit = truth("hist", "zero")
    cell = by_name(faithfulness(work, circuit, draws=2))["zero", "knocked_out", "exact_match"]
    task = work["zero"]
    rest = Circuit.full(task.graph) - circuit
    got = task.outputs(to_mask(rest, dtype=torch.float64), task.items)[0]
    clean = task.items[:, 0]
    same = got.argmax(-1) == task.reference[clean].argmax(-1)
    exact = (same | ~task.scored[clean]).all(-1).double().mean()
    assert cell.circuit.mean == pytest.approx(float(exact))


def test_what_holds_under_one_ablation_only_is_said_to():
    work = tasks("hist")
    matrix = faithfulness(work, truth("hist", "resample"), draws=20)
    against = {(c.ablation, c.direction, c.metric) for c in matrix.against}
    assert ("zero", "kept", "exact_match") in against  # under zero ablation more edges are needed
    assert ("resample", "kept", "exact_match") not in against
    kept = sum(c.supports for c in matrix.cells if (c.ablation, c.direction) == ("zero", "kept"))
    out = sum(c.supports for c in matrix.cells if (c.ablation, c.direction) == ("zero", "knocked_out"))
    start = (
        f"faithful in {30 - len(against)} of 30 cells: zero {kept} of 5 kept, {out} of 5 knocked out; mean "
    )
    assert matrix.sentence().startswith(start)
    assert len(matrix.sentence()) < 160
    few = dataclasses.replace(
        matrix, cells=tuple(c for c in matrix.cells if c.supports or c.metric == "exact_match")[:9]
    )
    named = [f"{c.ablation} / {c.direction.replace('_', ' ')} / exact match" for c in few.against]
    assert 1 <= len(named) <= 3
    assert few.sentence() == f"faithful in {9 - len(named)} of 9 cells; not in {', '.join(named)}"
    holds = dataclasses.replace(matrix, cells=tuple(c for c in matrix.cells if c.supports))
    assert holds.sentence() == f"the circuit is faithful in every one of {30 - len(against)} cells"


def test_random_circuits_have_as_many_edges_and_other_draws_with_another_seed():
    work = {"resample": tasks("hist")["resample"]}
    circuit = truth("hist", "resample")
    first, same, other = (faithfulness(work, circuit, draws=30, seed=s) for s in (0, 0, 1))
    assert first == same != other
    cell = by_name(first)["resample", "kept", "exact_match"]
    assert cell.null.mean < cell.circuit.mean


def test_the_null_of_no_edges_is_the_empty_circuit_kept_and_the_model_knocked_out():
    work = {"zero": tasks("hist")["zero"]}
    found = by_name(faithfulness(work, Circuit.empty(work["zero"].graph), draws=3))
    for metric in METRICS:
        kept, out = (found["zero", direction, metric] for direction in DIRECTIONS)
        assert kept.null.low == kept.null.high == pytest.approx(kept.empty, abs=1e-9)
        assert out.null.low == out.null.high == pytest.approx(out.model, abs=1e-9)


def test_positions_that_are_not_scored_do_not_count():
    task = tasks("hist")["zero"]
    first = torch.zeros_like(task.scored)
    first[:, 1] = True
    broken = Circuit.of(task.graph, truth("hist", "zero").texts[1:])
    cells = by_name(
        faithfulness({"zero": dataclasses.replace(task, scored=first)}, broken, draws=2),
    )
    got = task.outputs(to_mask(broken, dtype=torch.float64), task.items)[0]
    same = got.argmax(-1) == task.reference[task.items[:, 0]].argmax(-1)
    want = same[:, 1].double().mean()
    assert same.all(-1).double().mean() < want
    assert cells["zero", "kept", "exact_match"].circuit.mean == pytest.approx(float(want))


def test_an_interval_is_the_central_share():
    assert _central(torch.linspace(0, 1, 101, dtype=torch.float64), 0.9) == pytest.approx((0.05, 0.95))


def cell(**values) -> Cell:
    point = {k: Interval(mean=v, low=v, high=v) for k, v in values.items() if k == "circuit"}
    low, high = values["null"]
    null = Interval(mean=(low + high) / 2, low=low, high=high)
    return Cell(
        ablation="zero",
        direction=values["direction"],
        metric="accuracy",
        **point,
        null=null,
        model=1.0,
        empty=0.0,
    )


@pytest.mark.parametrize(
    ("direction", "circuit", "null", "supports"),
    [
        ("kept", 0.9, (0.0, 0.2), True),
        ("kept", 0.4, (0.0, 0.2), False),  # nearer to the empty circuit
        ("kept", 0.9, (0.5, 0.95), False),  # random ones do as well
        ("kept", 0.9, (0.5, 1.2), False),
        ("knocked_out", 0.1, (0.8, 1.0), True),
        ("knocked_out", 0.7, (0.8, 1.0), False),
        ("knocked_out", 0.1, (0.05, 1.0), False),
        ("kept", float("nan"), (0.0, 0.2), False),
    ],
)
def test_a_cell_supports_a_circuit_that_beats_both_the_other_end_and_chance(
    direction, circuit, null, supports
):
    assert cell(direction=direction, circuit=circuit, null=null).supports == supports


def test_tau_is_scipys():
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(4, (3, 2, 5, 7), generator=generator).double()
    y = torch.randint(4, (2, 5, 7), generator=generator).double()
    found = kendall_tau(x, y)
    for c, i, p in np.ndindex(3, 2, 5):
        want = kendalltau(x[c, i, p], y[i, p]).statistic
        assert float(found[c, i, p]) == pytest.approx(0.0 if np.isnan(want) else want, abs=1e-12)
    constant = kendall_tau(torch.ones(1, 1, 1, 7), torch.arange(7.0).expand(1, 1, 7))
    assert constant.item() == 0


def test_an_interval_is_wider_where_more_confidence_is_asked_and_holds_the_mean():
    work = {"zero": tasks("hist")["zero"]}
    half = Circuit.of(work["zero"].graph, truth("hist", "zero").texts[1:])
    narrow, wide = (faithfulness(work, half, draws=2, confidence=c) for c in (0.5, 0.99))
    for a, b in zip(narrow.cells, wide.cells, strict=True):
        if a.circuit.low < a.circuit.high:
            assert b.circuit.low < a.circuit.low <= a.circuit.mean <= a.circuit.high < b.circuit.high
    assert any(c.circuit.low < c.circuit.high for c in narrow.cells)


def test_the_spread_of_random_circuits_is_that_of_the_confidence_too():
    work = {"zero": tasks("hist")["zero"]}
    half = Circuit.of(work["zero"].graph, truth("hist", "zero").texts[1:])
    narrow, wide = (faithfulness(work, half, draws=30, confidence=c) for c in (0.5, 0.9))
    pairs = list(zip(narrow.cells, wide.cells, strict=True))
    assert all(b.null.low <= a.null.low <= a.null.high <= b.null.high for a, b in pairs)
    assert sum(b.null.high - b.null.low > a.null.high - a.null.low for a, b in pairs) > len(pairs) / 2
    assert all(a.null.mean == b.null.mean for a, b in pairs)


def test_numerical_outputs_and_other_graphs_are_refused():
    work = tasks("frac_prevs")
    with pytest.raises(CheckError, match="EP195"):
        faithfulness(work, Circuit.empty(work["zero"].graph))
    with pytest.raises(CheckError, match="EP121"):
        faithfulness(tasks("hist"), Circuit.empty(work["zero"].graph))
