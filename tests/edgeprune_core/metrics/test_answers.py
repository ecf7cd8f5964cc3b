"""Margins of answers over foils, from logits."""

from __future__ import annotations

import torch

from edgeprune_core.metrics.answers import answer_margin, answers_lead

LOGITS = torch.tensor([[2.0, 0.5, -1.0, 3.0], [0.0, 1.0, 2.0, -2.0]], dtype=torch.float64)


def ids(*rows):
    return torch.tensor(rows)


def test_of_one_answer_and_one_foil_the_margin_is_the_logit_difference():
    assert answer_margin(LOGITS, ids([0], [2]), ids([1], [3])).tolist() == [1.5, 4.0]


def test_padding_counts_for_nothing_wherever_a_token_of_that_id_would_be():
    got = answer_margin(LOGITS, ids([0, -1], [2, 1]), ids([1, 3, -1], [3, -1, -1]))
    e = LOGITS.exp()
    want = [e[0, 0] / (e[0, 1] + e[0, 3]), (e[1, 2] + e[1, 1]) / e[1, 3]]
    assert torch.allclose(got, torch.stack(want).log())


def test_where_no_foil_is_given_every_other_token_is_one():
    p = LOGITS.softmax(-1)
    want = torch.stack([p[0, 0] / (1 - p[0, 0]), p[1, 2] / (1 - p[1, 2])]).log()
    assert torch.allclose(answer_margin(LOGITS, ids([0], [2]), torch.empty(2, 0, dtype=torch.long)), want)
    mixed = answer_margin(LOGITS, ids([0], [2]), ids([1], [-1]))
    assert torch.allclose(mixed, torch.stack([torch.tensor(1.5, dtype=torch.float64), want[1]]))


def test_circuits_are_an_axis_in_front():
    both = torch.stack([LOGITS, LOGITS.flip(-1)])
    got = answer_margin(both, ids([0], [2]), ids([1], [3]))
    assert got.shape == (2, 2)
    assert torch.equal(got[0], answer_margin(LOGITS, ids([0], [2]), ids([1], [3])))
    assert torch.equal(got[1], answer_margin(LOGITS.flip(-1), ids([0], [2]), ids([1], [3])))


def test_the_gradient_of_a_margin_of_two_tokens_is_plus_and_minus_one():
    logits = LOGITS.clone().requires_grad_()
    answer_margin(logits, ids([0, -1], [2, -1]), ids([1], [3])).sum().backward()
    assert torch.allclose(logits.grad, torch.tensor([[1.0, -1, 0, 0], [0, 0, 1, -1]], dtype=torch.float64))


def test_accuracy_counts_any_of_the_answers():
    assert answers_lead(LOGITS, ids([3, -1], [0, 1])).tolist() == [1.0, 0.0]
    assert answers_lead(LOGITS, ids([0, 3], [2, -1])).tolist() == [1.0, 1.0]
