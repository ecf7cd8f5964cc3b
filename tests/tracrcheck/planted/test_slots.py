"""Where components go: in order, among enough distractors, and every placing as likely as another."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgeprune_core.errors import CheckError
from edgeprune_core.graph import ResidualGraph
from tests import zoo
from tracrcheck.planted.slots import check_slots, components, parse_slots, random_slots


def host(layers: int, heads: int) -> ResidualGraph:
    return ResidualGraph(layers, heads, heads)


def drawn(stages, layers, heads, seed=0):
    return random_slots(stages, host(layers, heads), generator=torch.Generator().manual_seed(seed))


def test_components_are_what_writes_something():
    assert components(zoo.compiled("reverse").model) == [["a0.h0"], ["m0"], ["m1"], ["m2"], ["a3.h0"]]
    assert components(zoo.compiled("mean_token").model) == [
        ["m0"], ["a1.h0", "a1.h1", "a1.h2", "a1.h3"], ["m1"], ["m2"],
    ]  # fmt: skip


@given(st.sampled_from(zoo.NAMES), st.integers(8, 14), st.integers(2, 9), st.integers(0, 10**6))
def test_random_slots_are_slots_that_one_may_choose(name, layers, heads, seed):
    stages = components(zoo.compiled(name).model)
    slots = drawn(stages, layers, heads, seed)
    assert check_slots(slots, stages, host(layers, heads)) == slots


def test_every_placing_is_drawn_about_equally_often():
    """Head, MLP, head in 4 layers: the two heads' layers i < j and the MLP's i <= k < j, 10 ways."""
    stages = [["a0.h0"], ["m0"], ["a1.h0"]]
    generator = torch.Generator().manual_seed(0)
    seen = Counter()
    for _ in range(2000):
        slots = random_slots(stages, host(4, 2), generator=generator)
        seen[tuple(slots[name].split(".")[0] for name in ("a0.h0", "m0", "a1.h0"))] += 1
    ways = {(f"a{i}", f"m{k}", f"a{j}") for i, j in itertools.combinations(range(4), 2) for k in range(i, j)}
    assert set(seen) == ways
    assert all(130 <= n <= 270 for n in seen.values())  # 200, five standard deviations either way


def test_heads_of_one_layer_spread_where_more_than_half_would_be_the_programs():
    stages = components(zoo.compiled("mean_token").model)
    layers = Counter(s.split(".")[0] for n, s in drawn(stages, 4, 4).items() if n.startswith("a"))
    assert sorted(layers.values()) == [2, 2]


@pytest.mark.parametrize(
    ("name", "layers", "heads", "text"),
    [
        ("reverse", 3, 4, "TC160 too few layers for the program\n    got     3 layers of 4 heads\n    wanted  at least 4:"),
        ("hist", 4, 1, "TC160 too few heads to hide one among distractors\n    got     1 a layer\n    wanted  at least 2:"),
        ("mean_token", 4, 2, "TC160 too few layers for the program\n    got     4 layers of 2 heads\n    wanted  at least 6:"),
    ],
)  # fmt: skip
def test_a_host_that_is_too_small_is_reported(name, layers, heads, text):
    with pytest.raises(CheckError) as caught:
        drawn(components(zoo.compiled(name).model), layers, heads)
    assert str(caught.value).startswith(text)
    drawn(components(zoo.compiled(name).model), 7, max(heads, 2))


REVERSE = {"a0.h0": "a0.h1", "m0": "m1", "m1": "m2", "m2": "m3", "a3.h0": "a4.h0"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m7": "m4"}, "TC161 the program has no component 'm7'"),
        ({"m1": None}, "TC161 components without a slot\n    got     m1\n"),
        ({"m1": "m9"}, "EP111 no writer 'm9'"),
        ({"m1": "a2.h0"}, "TC161 'm1' cannot stand there\n    got     a2.h0\n"),
        ({"m2": "m2"}, "TC161 'm1' and 'm2' have one slot\n    got     m2\n"),
        ({"m2": "m0"}, "TC161 'm1' must come before 'm2'\n    got     m2 and m0\n"),
        ({"a3.h0": "a3.h0"}, "TC161 'm2' must come before 'a3.h0'\n    got     m3 and a3.h0\n"),
    ],
)
def test_unusable_slots_are_refused(change, message):
    stages = components(zoo.compiled("reverse").model)
    assert check_slots(REVERSE, stages, host(5, 2)) == REVERSE
    slots = {name: slot for name, slot in (REVERSE | change).items() if slot}
    with pytest.raises(CheckError) as caught:
        check_slots(slots, stages, host(5, 2))
    assert str(caught.value).startswith(message)


def test_a_layer_may_not_have_more_than_half_of_its_heads_from_the_program():
    stages = [["a0.h0", "a0.h1"]]
    with pytest.raises(CheckError, match="TC161"):
        check_slots({"a0.h0": "a0.h0", "a0.h1": "a0.h1"}, stages, host(2, 3))
    check_slots({"a0.h0": "a0.h0", "a0.h1": "a0.h1"}, stages, host(2, 4))
    check_slots({"a0.h0": "a0.h0", "a0.h1": "a1.h1"}, stages, host(2, 3))


def test_slots_are_read_from_text():
    assert parse_slots("a0.h0=a3.h1, m0 = m4") == {"a0.h0": "a3.h1", "m0": "m4"}


@pytest.mark.parametrize("text", ["", "a0.h0", "a0.h0=", "=m0", "m0=m1,m0=m2", "m0=m1,"])
def test_what_is_not_a_list_of_slots_is_refused(text):
    with pytest.raises(CheckError) as caught:
        parse_slots(text)
    assert str(caught.value).startswith(f"TC161 no list of slots\n    got     {text!r}\n")
