"""When an output counts as the same."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from edgeprune_core import task as tasks
from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome, decode
from edgeprune_core.mask import to_mask
from tests import zoo
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

WANT = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
ALL = torch.tensor([[True, True]])


def _off(outcome, got, scored=ALL):
    return outcome.deviation(torch.tensor(got), WANT, scored).tolist()


def test_by_value_the_worst_coordinate_of_the_worst_position_counts_in_units_of_the_range():
    outcome = Outcome(categorical=False, scale=4.0)
    assert _off(outcome, [[[1.0, 0.1], [0.0, 0.2]]]) == pytest.approx([0.2])
    assert outcome.limit == 0.01


def test_positions_that_are_not_scored_do_not_count_even_if_they_are_not_numbers():
    scored = torch.tensor([[True, False]])
    assert _off(Outcome(categorical=True), [[[1.0, 0.0], [math.nan, 9.0]]], scored) == [0.0]
    assert _off(Outcome(categorical=True, criterion="decoded"), [[[1.0, 0.0], [math.nan, 9.0]]], scored) == [
        0.0
    ]


@pytest.mark.parametrize("criterion", ["value", "decoded"])
@pytest.mark.parametrize("categorical", [True, False])
@pytest.mark.parametrize("bad", [[math.nan, 0.0], [1.0, math.nan], [math.nan, math.nan]])
def test_an_output_that_is_not_a_number_deviates_infinitely(criterion, categorical, bad):
    outcome = Outcome(categorical=categorical, criterion=criterion)
    assert _off(outcome, [[bad, [0.0, 1.0]]]) == [math.inf]
    assert math.inf > outcome.limit


def test_by_decoding_only_the_largest_coordinate_counts():
    outcome = Outcome(categorical=True, criterion="decoded")
    assert outcome.limit == 0.0
    assert _off(outcome, [[[0.2, 0.1], [5.0, 5.1]]]) == [0.0]
    assert _off(outcome, [[[0.2, 0.1], [5.1, 5.0]]]) == [1.0]


def test_for_numbers_decoded_means_value():
    outcome = Outcome(categorical=False, criterion="decoded")
    assert outcome.limit == 0.01
    assert _off(outcome, [[[1.0, 0.5], [0.0, 1.0]]]) == [0.5]


def test_a_constant_output_is_matched_by_every_circuit():
    outcome = Outcome(categorical=False, scale=0.0)
    assert outcome.limit == math.inf
    assert _off(outcome, [[[9.0, 0.0], [0.0, 1.0]]]) == [8.0]


def test_a_tie_up_to_rounding_goes_to_the_lowest_index_and_a_real_margin_does_not():
    rows = torch.tensor([[1.0, 1.0], [1.0, 1 + 1e-10], [1.0, 1 + 4e-9], [0.0, 1.0]], dtype=torch.float64)
    assert decode(rows).tolist() == [0, 0, 1, 1]
    assert decode(torch.tensor([[3.0, 1.0, 3.0]])).tolist() == [0]


@pytest.mark.parametrize("floats", [1, 8_000_000])
def test_a_circuit_that_fails_on_the_last_item_alone_is_refused(floats, monkeypatch):
    whole = task_of(zoo.compiled("reverse"), Setting(ablation="zero"))
    circuit = Circuit.full(whole.graph).without(whole.graph.edge("tok -> a0.h0.v"))
    off = whole.deviations(circuit)[0]
    right, wrong = (whole.items[which] for which in (off <= whole.outcome.limit, off > whole.outcome.limit))
    task = replace(whole, items=torch.cat([right, wrong[:1]]))
    monkeypatch.setattr(tasks, "CHUNK_FLOATS", floats)
    assert len(right) > 5
    assert replace(task, items=right).accepts(circuit)
    assert not task.accepts(circuit)
    assert task.deviations(circuit).shape == (1, len(right) + 1)
    assert float(task.divergences(to_mask(circuit, dtype=torch.float64))[0]) > 0
