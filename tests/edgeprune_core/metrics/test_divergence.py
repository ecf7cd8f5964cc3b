"""The training signals."""

from __future__ import annotations

import math

import pytest
import torch

from edgeprune_core.metrics.divergence import bounded, kl, sharp_temperature

SCORED = torch.tensor([[False, True, True]])
WANT = torch.tensor([[[9.0, 9.0], [1.0, 0.0], [0.0, 1.0]]])


def test_both_are_zero_for_equal_outputs_wherever_they_are_scored():
    got = WANT.clone()[None]
    got[0, 0, 0] = -5.0  # position 0 is not scored
    assert bounded(got, WANT, SCORED).item() == 0
    assert kl(got, WANT, SCORED).item() == pytest.approx(0, abs=1e-7)


def test_a_confident_wrong_answer_costs_little_more_than_none():
    silent, wrong = torch.zeros(1, 1, 3, 2), WANT.flip(-1)[None]
    assert bounded(silent, WANT, SCORED).item() == pytest.approx(1 - math.exp(-1))
    assert bounded(wrong, WANT, SCORED).item() == pytest.approx(1 - math.exp(-2))


def test_numbers_are_measured_in_units_of_their_range():
    got = WANT[None] * 10
    assert bounded(got, WANT * 10, SCORED, scale=10.0).item() == 0
    torch.testing.assert_close(
        bounded(got * 0, WANT * 10, SCORED, scale=10.0), bounded(got * 0, WANT, SCORED)
    )


def test_kl_is_of_the_model_from_the_pruned_one_over_the_last_axis():
    p, q = torch.tensor([0.9, 0.1]), torch.tensor([0.5, 0.5])
    want, got = p.log().expand(1, 3, 2), q.log().expand(1, 1, 3, 2)
    forward = (p * (p / q).log()).sum().item()
    backward = (q * (q / p).log()).sum().item()
    assert kl(got, want, SCORED).item() == pytest.approx(forward, rel=1e-5)
    assert abs(forward - backward) > 0.1


@pytest.mark.parametrize("n_values", [2, 3, 10, 50])
def test_the_sharp_temperature_leaves_the_model_the_stated_doubt(n_values):
    scores = torch.zeros(n_values, dtype=torch.float64)
    scores[0] = 1
    top = (scores / sharp_temperature(n_values, 0.01)).softmax(0)[0].item()
    assert top == pytest.approx(0.99)
