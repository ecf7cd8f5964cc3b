"""The gates against their closed forms. Statistical tests use fixed noise: they never fail by chance."""

from __future__ import annotations

import math

import pytest
import torch

from edgeprune_core.training.gates import HardConcrete, _ordered, stratified_uniform

GATE = HardConcrete()
LOG_ALPHAS = torch.tensor([-3.0, -1.0, 0.0, 0.7, 2.0, 4.0], dtype=torch.float64)
N = 200_001


def grid() -> torch.Tensor:
    """Midpoints of n equal strata: a share counted on them is within 1/n of the probability."""
    return ((torch.arange(N, dtype=torch.float64) + 0.5) / N)[:, None].expand(N, len(LOG_ALPHAS))


def test_the_share_of_zero_gates_is_the_closed_form():
    zeros = (GATE.sample(LOG_ALPHAS, grid()) == 0).double().mean(0)
    torch.testing.assert_close(zeros, GATE.p_zero(LOG_ALPHAS), atol=2 / N, rtol=0)


def test_the_share_of_whole_gates_is_the_closed_form():
    ones = (GATE.sample(LOG_ALPHAS, grid()) == 1).double().mean(0)
    torch.testing.assert_close(ones, GATE.p_one(LOG_ALPHAS), atol=2 / N, rtol=0)


def test_the_expected_l0_is_louizos_equation_12_and_the_sampled_mean():
    sampled = (GATE.sample(LOG_ALPHAS, grid()) > 0).double().mean(0)
    closed = torch.sigmoid(LOG_ALPHAS - (2 / 3) * math.log(0.1 / 1.1))
    torch.testing.assert_close(GATE.p_kept(LOG_ALPHAS), closed)
    torch.testing.assert_close(sampled, closed, atol=2 / N, rtol=0)


def test_all_three_fates_of_a_gate_happen():
    z = GATE.sample(torch.zeros(N, dtype=torch.float64), grid()[:, 0])
    assert (z == 0).any()
    assert (z == 1).any()
    assert ((z > 0) & (z < 1)).any()
    assert z.min() == 0
    assert z.max() == 1


@pytest.mark.parametrize("wrong", [{"low": -0.2}, {"high": 1.2}, {"temperature": 0.5}])
def test_other_limits_or_another_temperature_give_other_shares(wrong):
    other = HardConcrete(**wrong)
    assert (other.p_zero(LOG_ALPHAS) - GATE.p_zero(LOG_ALPHAS)).abs().max() > 0.01 or (
        other.p_one(LOG_ALPHAS) - GATE.p_one(LOG_ALPHAS)
    ).abs().max() > 0.01


def test_the_gate_without_noise_is_the_median_gate():
    torch.testing.assert_close(
        GATE.mean_gate(LOG_ALPHAS),
        HardConcrete(temperature=1.0).sample(LOG_ALPHAS, torch.full_like(LOG_ALPHAS, 0.5)),
    )


def test_noise_at_its_very_ends_gives_finite_gates_and_gradients():
    log_alpha = torch.tensor([0.0, 0.0], requires_grad=True)
    z = GATE.sample(log_alpha, torch.tensor([0.0, 1.0]))
    z.sum().backward()
    assert z.tolist() == [0, 1]
    assert torch.isfinite(log_alpha.grad).all()


def test_each_gate_has_one_draw_in_every_stratum():
    u = stratified_uniform(16, (7,), torch.Generator().manual_seed(1))
    assert ((u * 16).long().sort(0).values == torch.arange(16)[:, None]).all()


def test_gates_draw_their_noise_independently_of_each_other():
    u = stratified_uniform(4096, (8,), torch.Generator().manual_seed(2), dtype=torch.float64)
    off_diagonal = torch.corrcoef(u.T) - torch.eye(8, dtype=torch.float64)
    assert off_diagonal.abs().max() < 5 / math.sqrt(4096)  # five standard errors


def test_the_same_seed_draws_the_same_noise_and_another_does_not():
    draws = [stratified_uniform(8, (5,), torch.Generator().manual_seed(s)) for s in (3, 3, 4)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("shape", [(9,), (5, 0), (300, 40), (8, 1, 7)])
def test_noise_is_ordered_as_by_a_stable_argsort(shape):
    noise = (torch.rand(shape, generator=torch.Generator().manual_seed(4)) * 64).floor() / 64  # with ties
    assert torch.equal(_ordered(noise), noise.argsort(dim=0, stable=True))
