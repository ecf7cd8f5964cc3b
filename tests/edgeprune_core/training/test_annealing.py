"""Annealed gates: as many open as are wanted, at every temperature, and an edge pays for those whose place it takes."""

from __future__ import annotations

import math

import pytest
import torch

from edgeprune_core.training.annealing import Annealing
from edgeprune_core.training.gates import HardConcrete

KIND, ANNEALING = HardConcrete(), Annealing()
SPREAD = torch.linspace(-4, 4, 101, dtype=torch.float64)


@pytest.mark.parametrize("done", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("n_open", [1, 30, 100])
def test_the_gates_sum_to_the_number_wanted(done, n_open):
    assert float(ANNEALING.gates(KIND, SPREAD, n_open, done).sum()) == pytest.approx(n_open, abs=1e-6)


def test_many_gates_are_between_0_and_1_at_first_and_few_at_the_end():
    def between(done: float) -> int:
        gates = ANNEALING.gates(KIND, SPREAD, 30, done)
        return int(((gates > 0) & (gates < 1)).sum())

    assert between(0.0) > 50
    assert between(1.0) < 5
    assert ANNEALING.gates(KIND, SPREAD, 30, 1.0)[-28:].eq(1).all()


def test_the_temperature_falls_geometrically_and_then_stays():
    annealing = Annealing(first=1.0, last=0.01, until=0.5)
    assert [annealing.temperature(done) for done in (0.0, 0.25, 0.5, 1.0)] == pytest.approx(
        [1, 0.1, 0.01, 0.01]
    )


def test_edges_that_are_not_trained_stay_cut_and_all_others_open_where_more_are_wanted_than_there_are():
    log_alphas = SPREAD.clone()
    log_alphas[:50] = -math.inf
    log_alphas.requires_grad_()
    gates = ANNEALING.gates(KIND, log_alphas, 80, 0.0)
    assert gates.tolist() == [0.0] * 50 + [1.0] * 51
    gates.square().sum().backward()
    assert log_alphas.grad is not None
    assert log_alphas.grad[:50].eq(0).all()
    assert log_alphas.grad.isfinite().all()


def test_a_gain_that_all_edges_share_moves_none_and_a_closed_gate_that_would_gain_more_is_pulled_up():
    log_alphas = SPREAD.clone().requires_grad_()
    gates = ANNEALING.gates(KIND, log_alphas, 30, 1.0)
    (shared,) = torch.autograd.grad(gates.sum(), log_alphas, retain_graph=True)
    assert shared.abs().max() < 1e-12
    closed = 60
    assert gates[closed] == 0
    (own,) = torch.autograd.grad(gates[closed], log_alphas)
    assert own[closed] > 0.1
    assert float(own.sum()) == pytest.approx(0, abs=1e-12)
    assert own.min() < 0
