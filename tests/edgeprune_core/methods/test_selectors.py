"""Selectors turn scores into circuits, and have names."""

from __future__ import annotations

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.methods.selectors import (
    SELECTORS,
    FewestWithinTolerance,
    Greedy,
    TopN,
    selector_of,
)
from edgeprune_core.methods.top_edges import fewest_edges
from tests import zoo
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of


@pytest.fixture(scope="module")
def task():
    return task_of(zoo.compiled("hist"), Setting(ablation="resample"))


def scores_with(task, **high):
    names = {name.replace("__", " -> ").replace("_", "."): x for name, x in high.items()}
    return torch.tensor([names.get(str(edge), 0.0) for edge in task.graph.edges])


def by_hand(task, scores, n):
    """The greedy selector, written a second time: adds the best edge into a node already reached, n times."""
    reached, kept = {task.graph.reader("out")}, []
    for _ in range(n):
        left = [
            (-float(x), i, edge)
            for i, (edge, x) in enumerate(zip(task.graph.edges, scores, strict=True))
            if edge.reader in reached and edge not in kept
        ]
        if not left:
            break
        best = min(left)[2]
        kept.append(best)
        reached |= set(task.graph.readers_of(best.writer))
    return Circuit.of(task.graph, kept)


def test_greedy_takes_the_best_edge_that_leads_to_the_output(task):
    scores = scores_with(task, tok__a0_h0_q=9.0, a0_h0__m0=5.0, m0__out=1.0, tok__out=0.5)
    assert Greedy(1)(task, scores).texts == ["m0 -> out"]
    assert Greedy(3)(task, scores).texts == ["tok -> a0.h0.q", "a0.h0 -> m0", "m0 -> out"]
    assert TopN(1)(task, scores).texts == []  # the edge with the largest score leads nowhere
    assert TopN(3)(task, scores).texts == ["tok -> a0.h0.q", "a0.h0 -> m0", "m0 -> out"]


def test_greedy_is_the_same_as_by_hand_and_connected(task):
    generator = torch.Generator().manual_seed(0)
    for n in (1, 4, 9, 100):
        scores = torch.rand(task.graph.n_edges, generator=generator).round(decimals=1)  # with ties
        found = Greedy(n)(task, scores)
        assert found == by_hand(task, scores, n) == found.connected()


def test_the_fewest_within_the_tolerance_are_those_of_the_ranking(task):
    scores = torch.rand(task.graph.n_edges, generator=torch.Generator().manual_seed(1))
    assert FewestWithinTolerance()(task, scores) == fewest_edges(task, scores)[0]


@pytest.mark.parametrize("text", ["top_n:7", "greedy:12", "fewest_within_tolerance"])
def test_a_selector_is_called_as_it_is_named(text):
    made = selector_of(text)
    assert made.name == text
    assert type(made) is SELECTORS[text.partition(":")[0]]


@pytest.mark.parametrize(
    "text", ["top", "top_n", "top_n:0", "top_n:x", "top_n:-3", "greedy:", "fewest_within_tolerance:3", ""]
)
def test_anything_else_is_refused(text):
    with pytest.raises(CheckError) as caught:
        selector_of(text, where="--select")
    assert (caught.value.code, caught.value.where) == ("EP191", "--select")
