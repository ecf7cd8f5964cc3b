"""Edge pruning with a rising price: fewer edges at each stop, and at each what a training that ended there would have."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice

import torch

from edgeprune_core.methods.edge_pruning_kl import EdgePruningKl
from edgeprune_core.methods.penalty_sweep import RisingPrice
from tests.edgeprune_core.methods.subjects import llama, prompts

FEW = RisingPrice(
    prices=(1e-3, 1.0), stops=4, steps=12, warm_up=5,
    method=EdgePruningKl(circuits=4, fresh=2, kept=1, learning_rate=0.3),
)  # fmt: skip


def test_prices_rise_in_geometric_steps():
    assert torch.tensor(FEW.price_list).allclose(torch.tensor([1e-3, 1e-2, 1e-1, 1.0]))


def test_the_dearer_an_edge_the_fewer_stay_open():
    swept = list(FEW.sweep(prompts(llama(), n=4)))
    assert [price for price, _ in swept] == FEW.price_list
    n_open = [int((scores > 0).sum()) for _, scores in swept]
    assert n_open == sorted(n_open, reverse=True)
    assert n_open[0] > n_open[-1]


def test_the_first_stop_is_a_training_at_its_price():
    task = prompts(llama(), n=4)
    _, scores = next(FEW.sweep(task))
    # its rate does not fall before two thirds of the steps
    plain = replace(FEW.method, penalty=1e-3, steps=3 * 17).begin(task)
    for _ in range(17):
        plain.advance()
    assert torch.equal(scores, plain.scores())


def test_a_later_stop_changes_no_earlier_scores():
    task = prompts(llama(), n=4)
    (_, first), *_ = islice(FEW.sweep(task), 3)
    assert torch.equal(first, next(FEW.sweep(task))[1])


def test_no_gate_drifts_out_of_reach_of_the_price():
    task = prompts(llama(), n=4)
    few = replace(FEW, prices=(1e-6, 30.0), stops=2, steps=20, warm_up=200)
    (_, cheap), (_, dear) = few.sweep(task)
    assert cheap.max() == few.ceiling
    assert dear.max() < 0
    (_, free), (_, stuck) = replace(few, ceiling=math.inf).sweep(task)
    assert free.max() > 1.5 * few.ceiling
    assert stuck.max() > 0
