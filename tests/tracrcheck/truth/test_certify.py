"""What a certificate says, and what it does not say."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import pytest
import torch
from tracr.rasp import rasp

from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome
from edgeprune_core.graph import ResidualGraph
from tests import zoo
from tracrcheck import Program, compile_program
from tracrcheck.generator.accept import compiled_of, numbered
from tracrcheck.truth import certify as certifying
from tracrcheck.truth import search
from tracrcheck.truth import task as task_module
from tracrcheck.truth.certify import certify
from tracrcheck.truth.search import Limits
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of


def certificate(name, **setting):
    chosen = Setting(**setting)
    return certify(task_of(zoo.compiled(name), chosen), chosen)


@pytest.mark.parametrize("ablation", ["zero", "mean", "resample"])
@pytest.mark.parametrize("name", ["reverse", "either_of_two_heads", "sort"])
def test_a_certificate_is_the_same_each_time(name, ablation):
    one, other = certificate(name, ablation=ablation), certificate(name, ablation=ablation)
    assert replace(one, seconds=0.0) == replace(other, seconds=0.0)


@pytest.mark.parametrize(
    ("name", "ablation"), [("reverse", "zero"), ("sort_unique", "mean"), ("pair_balance", "zero")]
)
def test_sufficient_and_minimal_hold_when_run_again_by_hand(name, ablation):
    setting = Setting(ablation=ablation)
    task = task_of(zoo.compiled(name), setting)
    got = certify(task, setting)
    assert task.accepts(got.required)
    assert not any(task.accepts(got.required.without(edge)) for edge in got.required)
    assert got.gap_below <= task.outcome.limit / 10 < task.outcome.limit * 10 <= got.gap_above


@pytest.mark.parametrize("name", ["reverse", "sort_unique", "shuffle_dyck1", "mean_token"])
@pytest.mark.parametrize("ablation", ["zero", "mean", "resample"])
def test_edges_outside_permitted_change_nothing_in_any_circuit(name, ablation):
    task = task_of(zoo.compiled(name), Setting(ablation=ablation))
    from edgeprune_core.mask import to_mask
    from tracrcheck.truth.permitted import permitted

    inside = permitted(task.model, task.tokens)
    draw = torch.Generator().manual_seed(0)
    outside = list(Circuit.full(task.graph) - inside)
    items = task.items[:: max(1, len(task.items) // 40)]
    for share in (0.3, 0.6, 1.0):
        kept = [e for e in inside if torch.rand((), generator=draw) < share]
        extra = [e for e in outside if torch.rand((), generator=draw) < 0.5]
        small, large = (Circuit.of(task.graph, edges) for edges in (kept, kept + extra))
        got = [task.outputs(to_mask(c, dtype=torch.float64), items) for c in (small, large)]
        real = task.valid[items[:, 0]]
        torch.testing.assert_close(got[0][:, real], got[1][:, real], atol=1e-9, rtol=0)


# ---------------------------------------------------------------- what is not known is said


def test_a_sampled_list_is_printed_as_a_sample_and_a_whole_one_as_proved():
    long = replace(zoo.program("xproportion"), vocab={"x", "y", "z"}, max_seq_len=9)
    from tracrcheck.compiler.compile import compile_program

    setting = Setting()
    task = task_of(compile_program(long), setting)
    total = sum(3**n for n in range(1, 10))
    assert task.sampled == total
    assert len(task.items) < total
    got = certify(task, setting)
    assert got.says("sufficient") == f"sampled {len(task.items)} of {total}"
    assert got.to_json()["sampled"] == total
    assert certificate("xproportion").says("sufficient") == "proved"


def test_pairs_above_the_limit_are_a_sample_that_is_always_the_same():
    setting = Setting(ablation="resample")
    one, other = (task_of(zoo.compiled("xproportion"), setting) for _ in range(2))
    assert one.sampled == sum((4**n) ** 2 for n in range(1, 5))
    assert len(one.items) <= 20_000
    assert torch.equal(one.items, other.items)
    assert len(one.items.unique(dim=0)) == len(one.items)
    assert certify(one, setting).says("sufficient") == f"sampled {len(one.items)} of {one.sampled}"


def test_pairs_of_a_sampled_list_are_a_sample_however_few_they_are():
    drawn = replace(zoo.program("hist"), inputs=lambda rng: iter([["a"], ["b"], ["a", "b"]]))
    setting = Setting(ablation="resample")
    task = task_of(compile_program(drawn), setting)
    assert (len(task.items), task.sampled) == (5, "unknown")
    assert certify(task, setting).says("sufficient") == "sampled 5 of unknown"
    one_each = task_of(zoo.compiled("hist"), replace(setting, inputs=4))  # one list of each length
    letters = len(zoo.program("hist").vocab)
    assert (len(one_each.items), one_each.sampled) == (4, sum(letters ** (2 * n) for n in range(1, 5)))


@pytest.mark.parametrize("limits", [Limits(combinations=1), Limits(seconds=0.0)], ids=["ways", "time"])
def test_a_search_over_its_limits_leaves_smallest_and_unique_unknown(limits):
    setting = Setting()
    got = certify(task_of(zoo.compiled("reverse"), setting), setting, limits=limits)
    assert got.proved == ("sufficient", "minimal")
    assert set(got.unknown) == {"smallest", "unique"}
    for name in ("smallest", "unique"):
        assert got.says(name).startswith("UNKNOWN(")
        assert "over" in got.says(name)


def test_a_search_that_takes_too_long_on_its_way_back_proves_nothing(monkeypatch):
    real = search.Search._meet

    def late(self, *args):
        self.deadline = -math.inf
        return real(self, *args)

    monkeypatch.setattr(search.Search, "_meet", late)
    got = certificate("reverse")
    assert got.proved == ("sufficient", "minimal")
    assert got.says("smallest") == "UNKNOWN(over 120 s, on the way back from out)"


def test_a_deviation_near_the_tolerance_leaves_everything_unknown():
    setting = Setting()
    task = task_of(zoo.compiled("xproportion"), setting)
    near = replace(task, outcome=replace(task.outcome, tolerance=0.2))
    got = certify(near, setting)
    assert got.proved == ()
    assert "narrow gap" in got.says("sufficient")


def test_a_gap_with_nothing_beyond_the_tolerance_is_reported_as_such():
    compiled = compiled_of(numbered(0, 0))  # nothing is required under mean ablation, with 0.001 to spare
    setting = Setting(ablation="mean")
    got = certify(task_of(compiled, setting), setting)
    assert got.gap_above is None
    assert got.says("sufficient").endswith(f"a narrow gap: {got.gap_below:.2g} to none around 0.01)")


@pytest.mark.parametrize(("noise", "constant"), [(1e-12, True), (1e-8, True), (1e-3, False)])
def test_an_output_that_varies_by_rounding_alone_is_constant(noise, constant, monkeypatch):
    compiled = compile_program(
        Program(
            name="one",
            build=lambda: rasp.numerical(rasp.Map(lambda t: 1, rasp.tokens)),
            vocab={0, 1},
            max_seq_len=2,
        )
    )
    real = task_module.trace

    def rounded(*args, **more):
        found = real(*args, **more)
        return replace(found, outputs=found.outputs + noise * torch.rand_like(found.outputs))

    monkeypatch.setattr(task_module, "trace", rounded)
    outcome = task_of(compiled, Setting()).outcome
    assert (outcome.scale == 0.0) == constant
    assert math.isinf(outcome.limit) == constant


def test_a_setting_in_which_the_output_cannot_change_is_vacuous():
    got = certificate("length", ablation="mean")
    assert got.vacuous
    assert got.required.texts == []
    assert got.proved == ("sufficient", "minimal", "smallest", "unique")
    assert not certificate("length").vacuous


# ---------------------------------------------------------------- redundant paths


@pytest.mark.parametrize(
    ("name", "ablation", "unique"),
    [
        ("two_of_three_heads", "zero", False),
        ("two_of_three_heads", "mean", False),
        ("two_of_three_heads", "resample", False),
        ("either_of_two_heads", "zero", False),
        ("either_of_two_heads", "mean", False),
        ("either_of_two_heads", "resample", True),
    ],
)
def test_redundant_heads_make_several_smallest_circuits_where_their_docstring_says_so(name, ablation, unique):
    setting = Setting(ablation=ablation)
    task = task_of(zoo.compiled(name), setting)
    got = certify(task, setting)
    assert "smallest" in got.proved
    assert ("unique" in got.proved) == unique
    if unique:
        assert got.other is None
    else:
        assert got.other != got.required
        assert len(got.other) == len(got.required)
        assert task.accepts(got.other)
        assert not any(task.accepts(got.other.without(edge)) for edge in got.other)
        assert got.says("unique") == "no: several smallest circuits"


@pytest.mark.parametrize("ablation", ["zero", "mean", pytest.param("resample", marks=pytest.mark.slow)])
def test_a_cancelling_pair_is_dropped_although_no_single_edge_can_be(ablation):
    setting = Setting(ablation=ablation)
    task = task_of(zoo.compiled("cancelling_pair"), setting)
    got = certify(task, setting)
    assert {"sufficient", "minimal", "smallest", "unique"} == set(got.proved)
    greedy = got.permitted
    while loose := next((c for e in reversed(list(greedy)) if task.accepts(c := greedy.without(e))), None):
        greedy = loose
    assert task.accepts(greedy)
    assert len(greedy) > len(got.required)
    plus_and_minus = {"plus", "minus"}
    ours = zoo.compiled("cancelling_pair")
    heads = {
        w for w, texts in ours.provenance.items() if any(t.split(" = ")[0] in plus_and_minus for t in texts)
    }
    heads = {w for w in heads if ".h" in w}
    assert len(heads) == 2
    assert not {str(e.writer) for e in got.required} & heads
    assert {str(e.writer) for e in greedy} & heads == heads


def test_the_search_keeps_every_derivation_that_no_strictly_smaller_one_replaces():
    """Two ways of equal size to a variant are two circuits: dropping one would prove a false `unique`."""
    from edgeprune_core.graph import ResidualGraph
    from tracrcheck.truth.search import _Derivation, _undominated

    graph = ResidualGraph(1, 1, 1)

    def way(demands, *texts):
        return _Derivation(tuple(graph.edge(text) for text in texts), demands)

    tok, both = ((0, 0),), ((0, 0), (1, 0))
    by_query, by_key = way(tok, "tok -> a0.h0.q"), way(tok, "tok -> a0.h0.k")
    other_demand = way(((1, 0),), "pos -> a0.h0.q", "pos -> a0.h0.k")
    larger = way(both, "tok -> a0.h0.q", "pos -> a0.h0.k")
    assert set(_undominated([larger, by_key, other_demand, by_query])) == {by_query, by_key, other_demand}
    assert set(_undominated([other_demand, larger])) == {other_demand, larger}  # equal size: both stay


def test_a_sample_of_pairs_has_every_input_on_both_sides():
    """Of 65,536 pairs of the longest inputs of `xproportion` it has thousands: each of the 256 many times."""
    task = task_of(zoo.compiled("xproportion"), Setting(ablation="resample"))
    assert task.sampled > len(task.items)
    longest = task.valid.sum(1) == task.valid.sum(1).max()
    pairs = task.items[longest[task.items[:, 0]]]
    for side in (0, 1):
        counts = torch.bincount(pairs[:, side], minlength=len(longest))[longest]
        assert counts.min() > len(pairs) / 256 / 3


# ---------------------------------------------------------------- where the search gives up


class MadeUp:
    """A task whose circuits are faithful where a rule says so; its model is of a kind that is not searched."""

    name, sampled = "made_up", None
    graph = ResidualGraph(n_layers=1, n_heads=1, n_kv_heads=1)
    outcome = Outcome(categorical=True)
    model = SimpleNamespace(spec=SimpleNamespace(norm="rms", gated_mlp=False))

    def __init__(self, faithful, n_items=1):
        self.faithful = faithful
        self.items = torch.stack([torch.arange(n_items)] * 2, 1)
        self.tokens = self.items

    def part(self, rows):
        fewer = copy(self)
        fewer.items = self.items[rows]
        return fewer

    def deviations(self, circuits, items=None):
        circuits = [circuits] if isinstance(circuits, Circuit) else circuits
        items = self.items if items is None else items
        return torch.tensor([
            [0.0 if self.faithful(set(c.texts), item) else 1.0 for item in items[:, 0].tolist()] for c in circuits
        ])  # fmt: skip

    def certificate(self, *texts):
        return certify(self, Setting(), allowed=Circuit.of(self.graph, texts))


def test_what_one_pass_over_the_edges_leaves_may_not_be_minimal_and_is_not_called_so():
    """`pos` cannot be dropped first, and can be once `tok` is: the last readers come first."""
    task = MadeUp(lambda edges, item: edges != {"tok -> out"})
    got = task.certificate("tok -> out", "pos -> out")
    assert got.required.texts == []
    assert got.proved == ("sufficient", "minimal")
    assert got.says("smallest").startswith("UNKNOWN(models with normalisation")


@pytest.mark.parametrize("two", [False, True])
def test_another_circuit_is_of_the_size_that_is_smallest_in_the_end(two, monkeypatch):
    """The search finds a circuit of two edges, another of two, one of one edge, and perhaps another of one."""
    both, pair = {"tok -> out", "pos -> out"}, {"a0.h0 -> out", "m0 -> out"}
    single = [{"a1.h0 -> out"}, {"m1 -> out"}][: 1 + two]
    task = MadeUp(lambda edges, item: both <= edges or edges == pair or edges in single)
    task.graph = ResidualGraph(n_layers=2, n_heads=1, n_kv_heads=1)

    def found(task, allowed, items, budget, limits):
        every = (
            Circuit.of(task.graph, edges)
            for n in range(budget, -1, -1)
            for edges in combinations(list(allowed), n)
        )
        return (circuit for circuit in every if task.faithful(set(circuit.texts), 0))

    monkeypatch.setattr(certifying, "faithful_circuits", found)
    got = task.certificate(*both, *pair, "a1.h0 -> out", "m1 -> out")
    assert got.required.texts == ["a1.h0 -> out"]
    assert got.other == (Circuit.of(task.graph, ["m1 -> out"]) if two else None)
    assert ("unique" in got.proved) == (not two)


@pytest.mark.parametrize("rare", [1, 700, 998])
def test_an_edge_that_matters_on_one_item_of_a_thousand_is_kept(rare):
    task = MadeUp(lambda edges, item: item != rare or "pos -> out" in edges, n_items=999)
    assert task.certificate("tok -> out", "pos -> out").required.texts == ["pos -> out"]
