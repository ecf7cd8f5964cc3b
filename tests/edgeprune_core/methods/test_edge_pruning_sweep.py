"""Sweeps of edge pruning: each price gives fewer edges, and the first gives what a training at that price alone gives."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice

import pytest
import torch

from edgeprune_core.methods import EdgePruning
from edgeprune_core.methods.edge_pruning import Sweep
from edgeprune_core.methods.top_edges import top_edges
from edgeprune_core.training.prices import FixedPrice, RisingPrice
from tests.edgeprune_core.methods.subjects import llama, prompts

SWEEP = Sweep(
    price=RisingPrice(first=1e-3, last=1.0, stops=4, steps=12, warm_up=5), circuits=4, fresh=2, kept=1
)
FEW = EdgePruning(learning_rate=0.3, swept=SWEEP)


def test_the_dearer_an_edge_the_fewer_stay_open():
    swept = list(FEW.rankings(prompts(llama(), n=4)))
    assert [price for price, _ in swept] == SWEEP.price.per_stop
    n_open = [int((scores > 0).sum()) for _, scores in swept]
    assert n_open == sorted(n_open, reverse=True)
    assert n_open[0] > n_open[-1]


def test_the_first_stop_is_a_training_at_its_price():
    task = prompts(llama(), n=4)
    _, scores = next(FEW.rankings(task))
    # its learning rate does not fall before two thirds of the steps
    plain = replace(
        FEW, price=FixedPrice(per_edge=1e-3), steps=3 * 17, circuits=4, fresh=2, kept=1, ceiling=SWEEP.ceiling
    ).begin(task)
    for _ in range(17):
        plain.advance()
    assert torch.equal(scores, plain.scores())


def test_a_later_stop_changes_no_earlier_scores():
    task = prompts(llama(), n=4)
    (_, first), *_ = islice(FEW.rankings(task), 3)
    assert torch.equal(first, next(FEW.rankings(task))[1])


def test_no_gate_drifts_out_of_reach_of_the_price():
    task = prompts(llama(), n=4)
    price = RisingPrice(first=1e-6, last=30.0, stops=2, steps=20, warm_up=60)
    few, quick = replace(SWEEP, price=price), replace(FEW, learning_rate=1.0)
    (_, cheap), (_, dear) = replace(quick, swept=few).rankings(task)
    assert cheap.max() == few.ceiling
    assert dear.max() < 0
    (_, free), (_, stuck) = replace(quick, swept=replace(few, ceiling=math.inf)).rankings(task)
    assert free.max() > 1.5 * few.ceiling
    assert stuck.max() > 0


def test_each_ranking_is_cut_near_the_number_of_open_gates():
    task = prompts(llama(), n=4)
    wanted = []
    for price, scores in FEW.rankings(task):
        sizes = {min(max(1, round(part * int((scores > 0).sum()))), len(scores)) for part in SWEEP.near}
        wanted += [(f"price {price:.2g}, top {n}", top_edges(task, scores, n)) for n in sorted(sizes)]
    assert list(FEW.sweep(task)) == wanted


@pytest.mark.parametrize("steps", [40, 400, 1220])
@pytest.mark.parametrize("cool_down", [0.0, 1 / 3, 1.0])
def test_the_rate_is_never_negative_never_rises_and_ends_at_a_tenth_or_where_it_began(steps, cool_down):
    method = EdgePruning(steps=steps, cool_down=cool_down, learning_rate=0.2)
    rates = [method.rate(step) for step in range(steps)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 0.2
    assert 0.02 < rates[-1] <= (0.2 if not cool_down else 0.02 + 0.2 / (steps * cool_down))


def test_through_a_whole_sweep_of_the_default_setting_the_rate_stays_as_it_is(monkeypatch):
    """Longer than a training with the defaults, whose learning rate falls towards its own last step."""
    begun = []

    class Begun(Exception):
        pass

    def begin(method, task):
        begun.append(method)
        raise Begun

    monkeypatch.setattr(EdgePruning, "begin", begin)
    default = EdgePruning()
    with pytest.raises(Begun):
        next(default.rankings(prompts(llama(), n=2)))
    (method,) = begun
    assert method.steps == method.price.total_steps > default.steps
    assert {method.rate(step) for step in range(method.steps)} == {default.learning_rate}
