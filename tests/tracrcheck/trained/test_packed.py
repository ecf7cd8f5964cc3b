"""Long lists of pairs are held in little memory, and read as they were."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import islice

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.tasks import TASKS, Pair, pairs
from edgeprune_core.trained_models import load_model
from tracrcheck.trained import discover
from tracrcheck.trained.packed import TOGETHER, PackedPairs
from tracrcheck.trained.prompts import both_lists

ODD = Pair(
    clean="caf\u00e9 \ud800 \U0001f600",
    corrupted="",
    answers=("a", "b"),
    corrupted_answers=None,
    keys=("x",),
    where="mine.jsonl:3",
)
NOTHING_RIGHT = replace(ODD, corrupted_answers=())


def some(n: int) -> list[Pair]:
    return [*islice(pairs(TASKS["ioi"], seed=0), n - 2), ODD, NOTHING_RIGHT]


@pytest.mark.parametrize("n", [2, TOGETHER, 2 * TOGETHER + 5])
def test_pairs_are_read_as_they_were(n):
    given = some(n)
    packed = PackedPairs(iter(given))
    assert len(packed) == n
    assert list(packed) == given == [packed[i] for i in range(n)]
    assert (packed[-1], packed[-n]) == (given[-1], given[0])
    for part in (slice(1, 3), slice(None, None, -7), slice(n - 1, n + 9), slice(5, 2)):
        assert packed[part] == tuple(given[part])
    for place in (n, -n - 1):
        with pytest.raises(IndexError):
            packed[place]


def test_lists_are_equal_where_their_pairs_are():
    given = some(9)
    packed = PackedPairs(given)
    assert packed == PackedPairs(given) == tuple(given)
    assert packed != PackedPairs(given[:-1])
    assert packed != PackedPairs([*given[:-1], replace(given[-1], clean="other")])


def test_each_further_pair_of_a_list_takes_at_most_300_bytes():
    words = load_model("english").tokenizer

    def held(n: int) -> int:
        tracemalloc.start()
        lists = both_lists("ioi", words, n=n, seed=0)
        try:
            assert len(lists.train) == len(lists.held_out) == n
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    held(1)  # what is cached on the way
    assert held(120) - held(20) <= 2 * 100 * 300


def test_the_divergences_of_a_long_list_are_those_of_its_parts_in_order(monkeypatch):
    english = load_model("english")
    task = discover._task(english, both_lists("ioi", english.tokenizer, n=7, seed=0).train)
    circuit = Circuit.of(task.graph, ["tok -> m0", "tok -> out", "m0 -> out"])
    monkeypatch.setattr(discover, "TOGETHER", 3)
    got = discover._deviations(task, circuit)
    torch.testing.assert_close(got, task.deviations(circuit)[0], rtol=1e-4, atol=1e-5)
    assert len(got.unique()) == 7
