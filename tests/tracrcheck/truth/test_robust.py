"""Robust circuits, against a run of every circuit of small graphs."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache as cache_once

import numpy as np
import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import to_mask
from tests import zoo
from tracrcheck.grading.robustness import robustness_of
from tracrcheck.truth import cache, robust
from tracrcheck.truth.certificate import Break
from tracrcheck.truth.certify import certify
from tracrcheck.truth.robust import LIMITS, PART, SAMPLE, certify_robust, hitting_sets, probe, shrunk
from tracrcheck.truth.search import Limits
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

# A program, an ablation, and how many edges are permitted beyond a smallest robust circuit: few, so that every circuit
# can be run. The last four have a smallest circuit that is not robust; the fourth has two smallest robust ones.
SMALL = [
    ("hist", "mean", None),
    ("xproportion", "zero", None),
    ("last_token", "mean", 5),
    ("either_of_two_heads", "mean", 8),
    ("cancelling_pair", "resample", 1),
    ("cancelling_pair", "mean", 2),
    ("either_of_two_heads", "zero", 2),
    ("checked_copy", "mean", 4),
]
CHUNK = 512


def certified(name, ablation, *, allowed=None, **setting):
    setting = Setting(ablation=ablation, lengths=(1, 2), **setting)
    task = task_of(zoo.compiled(name), setting)
    return task, certify(task, setting, allowed=allowed)


@cache_once
def small(name, ablation, extra):
    """The task and its certificates, where few edges more are permitted than a smallest robust circuit has."""
    task, faithful = certified(name, ablation)
    if extra is not None:
        needed = certify_robust(task, faithful).required | faithful.required
        more = list(faithful.permitted - needed)[-extra:]
        allowed = Circuit(needed.graph, needed.edges | frozenset(more))
        task, faithful = certified(name, ablation, allowed=allowed)
    return task, faithful, certify_robust(task, faithful)


def every_circuit(task, permitted) -> np.ndarray:
    """Whether each is faithful; bit n of its number: whether it has edge n."""
    edges = list(permitted)
    numbers = torch.arange(2 ** len(edges))
    each = to_mask(
        [Circuit(permitted.graph, frozenset({e})) for e in edges],
        dtype=torch.float64,
        device=torch.device("cpu"),
    )
    faithful = []
    for part in numbers.split(CHUNK):
        bits = (part[:, None] >> torch.arange(len(edges))) & 1
        mask = torch.einsum("ce,erw->crw", bits.double(), each)
        faithful.append((task.deviations(mask) <= task.outcome.limit).all(1))
    return torch.cat(faithful).numpy()


def robust_of(faithful: np.ndarray) -> np.ndarray:
    """Whether every circuit that contains it is faithful: one edge more at a time."""
    robust = faithful.copy()
    for bit in range(len(robust).bit_length() - 1):
        lacks = (np.arange(len(robust)) >> bit) & 1 == 0
        robust[lacks] &= robust[np.flatnonzero(lacks) | 1 << bit]
    return robust


@pytest.mark.parametrize(("name", "ablation", "extra"), SMALL)
def test_the_smallest_robust_circuit_is_what_running_every_circuit_finds(name, ablation, extra):
    task, faithful, got = small(name, ablation, extra)
    edges = list(got.permitted)
    robust = np.flatnonzero(robust_of(every_circuit(task, got.permitted)))
    sizes = np.array([int(n).bit_count() for n in robust])
    smallest = {
        frozenset(e for n, e in enumerate(edges) if number >> n & 1)
        for number in robust[sizes == sizes.min()]
    }
    assert got.required.edges in smallest
    assert got.proved == (("sufficient", "minimal", "smallest") + (("unique",) if len(smallest) == 1 else ()))
    assert (got.other is None) == (len(smallest) == 1)
    assert got.other is None or got.other.edges in smallest - {got.required.edges}
    number = sum(1 << n for n, e in enumerate(edges) if e in faithful.required)
    assert (got.alone is None) == (number in robust)


def test_the_cases_differ():
    found = [small(*case)[2] for case in SMALL]
    assert [got.alone is None for got in found] == [True] * 4 + [False] * 4
    assert [got.other is None for got in found].count(False) == 1


@pytest.mark.parametrize("ablation", ["zero", "mean", "resample"])
def test_what_cancels_is_not_robust_and_both_heads_are_needed_beside_it(ablation):
    faithful = cache.certificate_of(
        zoo.compiled("cancelling_pair"), Setting(ablation=ablation, lengths=(1, 3))
    )
    found = robustness_of(zoo.compiled("cancelling_pair"), faithful)
    assert found.word == "no"
    assert found.kept is not None
    assert found.witness is not None
    assert found.witness.want != found.witness.got
    heads = {"a1.h0 -> m2", "a1.h2 -> m1"}
    assert len(heads & set(found.kept.texts)) == 1, "one of the two, without the other"
    assert heads <= set(found.robust.required.texts)
    assert not heads & set(faithful.required.texts)
    assert found.robust.proved == ("sufficient", "minimal", "smallest", "unique")


def test_a_check_that_never_fails_is_needed_where_only_a_part_of_it_may_be_cut():
    compiled = zoo.compiled("checked_copy")
    faithful = cache.certificate_of(compiled, Setting(ablation="resample", lengths=(1, 2)))
    found = robustness_of(compiled, faithful)
    assert faithful.required.texts == ["tok -> m1", "m1 -> out"]
    assert found.kept is not None
    assert "m0 -> m1" in found.kept.texts
    assert (found.witness.want, found.witness.got) == ("a", "!")
    assert set(found.robust.required.texts) > {"a0.h0 -> m0", "a0.h1 -> m0", *faithful.required.texts}


def test_a_break_is_unfaithful_and_cutting_any_edge_more_repairs_it():
    task, faithful = certified("cancelling_pair", "mean")
    broken = probe(task, faithful.required, faithful.permitted, LIMITS).found
    least = shrunk(task, broken, faithful.required)
    assert faithful.required.edges < least.kept.edges <= broken.kept.edges
    assert not task.accepts(least.kept)
    items = task.items[[least.row]]
    for edge in least.kept - faithful.required:
        assert task.deviations(least.kept.without(edge), items).max() <= task.outcome.limit


@pytest.mark.parametrize("row", [0, 7, -1])
def test_a_break_on_any_item_is_found(row):
    """On a list whose other items pair an input with itself, where nothing can differ."""
    task, faithful = certified("checked_copy", "resample")
    broken = probe(task, faithful.required, faithful.permitted, LIMITS).found
    items = task.items[:1].repeat(3 * PART, 1)
    assert items[0, 0] == items[0, 1]
    assert probe(replace(task, items=items), faithful.required, faithful.permitted, LIMITS).found is None
    items[row] = task.items[broken.row]
    found = probe(replace(task, items=items), faithful.required, faithful.permitted, LIMITS).found
    assert found.row == row % len(items)


# Where not every circuit can be searched -----------------------------------------------------------------


@pytest.mark.parametrize("limits", [Limits(combinations=1), Limits(seconds=0.0)], ids=["ways", "time"])
def test_over_the_limits_circuits_are_sampled_and_a_break_is_found_all_the_same(limits):
    task, faithful = certified("cancelling_pair", "zero")
    result = probe(task, faithful.required, faithful.permitted, limits)
    assert result.found is not None
    assert not task.accepts(result.found.kept)
    assert faithful.required.edges <= result.found.kept.edges


def test_a_robust_circuit_that_was_sampled_is_not_called_proved():
    task, faithful = certified("hist", "mean")
    got = certify_robust(task, faithful, limits=Limits(combinations=1))
    n = len(faithful.permitted) - len(faithful.required)
    assert got.tried == SAMPLE + 2 * n
    assert (got.word, got.says("sufficient")) == ("sampled", f"sampled {got.tried} of 2^{n} circuits")


@pytest.mark.parametrize("limits", [LIMITS, Limits(combinations=1)], ids=["searched", "sampled"])
def test_a_circuit_that_deviates_by_almost_the_tolerance_is_a_narrow_gap_however_it_was_found(limits):
    """At a tolerance of 1.3, no edge is required, and some circuit moves the outputs by 1."""
    task, faithful = certified("hist", "mean")
    wide = replace(task, outcome=replace(task.outcome, tolerance=1.3))
    got = certify_robust(wide, replace(faithful, required=Circuit.empty(task.graph)), limits=limits)
    assert (got.proved, got.word) == ((), "UNKNOWN")
    assert got.says("sufficient") == "UNKNOWN(a narrow gap: 1 to none)"


@pytest.mark.parametrize("first", [True, False], ids=["only the first sampled", "all but the first sampled"])
def test_it_is_proved_if_the_robust_circuit_was_searched_whatever_was_done_about_the_first(
    first, monkeypatch
):
    task, faithful, got = small("checked_copy", "mean", 4)

    def probed(task, circuit, permitted, limits):
        sampled = (circuit == faithful.required) == first
        return probe(task, circuit, permitted, Limits(combinations=1) if sampled else limits)

    monkeypatch.setattr(robust, "probe", probed)
    again = certify_robust(task, faithful)
    n = len(again.permitted) - len(again.required)
    assert again.required == got.required != faithful.required
    assert (again.word, again.tried) == (("proved", None) if first else ("sampled", SAMPLE + 2 * n))


def test_a_search_for_the_smallest_that_takes_too_long_proves_nothing(monkeypatch):
    task, faithful = certified("cancelling_pair", "zero")
    got = certify_robust(task, faithful, limits=Limits(seconds=-1.0))
    assert (got.proved, got.word) == ((), "UNKNOWN")
    assert "looking for a robust circuit" in got.says("smallest")


def test_what_is_not_proved_faithful_is_not_called_robust():
    task, faithful = certified("hist", "zero")
    undecided = replace(faithful, proved=(), unknown={"sufficient": "a narrow gap"})
    got = certify_robust(task, undecided)
    assert (got.proved, got.setting.robust, got.word) == ((), True, "UNKNOWN")


# The cache -------------------------------------------------------------------------------------------------


def test_a_robust_certificate_comes_back_from_the_cache_as_it_was(monkeypatch, tmp_path):
    monkeypatch.setenv("TRACRCHECK_CACHE", str(tmp_path))
    setting = Setting(ablation="mean", robust=True, lengths=(1, 3))
    made = cache.certificate_of(zoo.compiled("checked_copy"), setting)
    monkeypatch.setattr(cache, "certify_robust", None)
    assert cache.certificate_of(zoo.compiled("checked_copy"), setting) == made
    assert made.breaks
    assert made.alone is not None


def test_a_robust_certificate_that_lies_is_noticed():
    task, faithful = certified("checked_copy", "mean")
    got = certify_robust(task, faithful)
    assert cache.agrees(task, got)
    edge = next(iter(got.required))
    for lie in (
        replace(got, required=got.required.without(edge)),
        replace(got, breaks=got.breaks[1:]),
        replace(got, breaks=(Break(got.permitted, got.breaks[0].row), *got.breaks[1:])),
        replace(got, alone=Break(got.permitted, got.breaks[0].row)),
    ):
        assert not cache.agrees(task, lie)


# Hitting sets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_every_smallest_hitting_set_is_found(seed):
    edges = ResidualGraph(n_layers=1, n_heads=1, n_kv_heads=1, has_pos=True, parallel_blocks=False).edges[:8]
    draw = np.random.default_rng(seed)
    sets = [frozenset(draw.choice(np.array(edges, object), size=draw.integers(1, 5))) for _ in range(6)]
    hits = [
        frozenset(chosen)
        for n in range(9)
        for chosen in itertools.combinations(edges, n)
        if all(one & set(chosen) for one in sets)
    ]
    size = min(map(len, hits))
    assert list(hitting_sets(sets, size - 1)) == []
    found = list(hitting_sets(sets, size))
    assert len(found) == len(set(found))
    assert set(found) == {hit for hit in hits if len(hit) == size}
