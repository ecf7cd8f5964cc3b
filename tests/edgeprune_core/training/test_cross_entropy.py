"""Restarts near a circuit: what samples lack, which samples are elite, and when the search gives up."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import live_edges
from edgeprune_core.methods import EdgePruningScoreFunction
from edgeprune_core.task import Task
from edgeprune_core.training import cross_entropy
from edgeprune_core.training.cross_entropy import EliteSettings, _elites, _Near, _sample, train_by_elites
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.score_function import wrong_items
from tests import zoo
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

GRAPH = ResidualGraph(n_layers=2, n_heads=2, n_kv_heads=2)
KNOWN = (
    "tok -> a0.h1.q", "pos -> a0.h1.q", "pos -> a0.h1.k", "tok -> a0.h1.v", "tok -> m1", "a0.h1 -> m1", "m1 -> out",
)  # fmt: skip


def marked(graph: ResidualGraph, texts) -> torch.Tensor:
    edges = {graph.edge(text) for text in texts}
    return torch.tensor([edge in edges for edge in graph.edges])


def texts(graph: ResidualGraph, on: torch.Tensor) -> set[str]:
    return {str(edge) for edge, kept in zip(graph.edges, on.tolist(), strict=True) if kept}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pool_of(task: Task) -> ItemPool:
    return ItemPool(len(task.items), fresh=16, kept=48, generator=seeded())


def task(name: str, ablation: str) -> Task:
    return task_of(zoo.compiled(name), Setting(ablation=ablation)).to(torch.float32)


def truth(name: str, ablation: str) -> Circuit:
    setting = Setting(ablation=ablation)
    return certify(task_of(zoo.compiled(name), setting), setting).required


def test_groups_are_what_a_reader_reads_a_query_and_key_read_a_node_reads_and_a_writer_writes():
    near = _Near(GRAPH, marked(GRAPH, KNOWN))
    found = [texts(GRAPH, group > 0) for group in near.groups]
    assert {frozenset(group) for group in found} == {
        # by reader
        frozenset({"tok -> a0.h1.q", "pos -> a0.h1.q"}),
        frozenset({"pos -> a0.h1.k"}),
        frozenset({"tok -> a0.h1.v"}),
        frozenset({"tok -> m1", "a0.h1 -> m1"}),
        frozenset({"m1 -> out"}),
        # by query and key
        frozenset({"tok -> a0.h1.q", "pos -> a0.h1.q", "pos -> a0.h1.k"}),
        # by node
        frozenset({"tok -> a0.h1.q", "pos -> a0.h1.q", "pos -> a0.h1.k", "tok -> a0.h1.v"}),
        # by writer
        frozenset({"tok -> a0.h1.q", "tok -> a0.h1.v", "tok -> m1"}),
        frozenset({"pos -> a0.h1.q", "pos -> a0.h1.k"}),
        frozenset({"a0.h1 -> m1"}),
    }
    assert len(found) == 5 + 1 + 2 + 4
    assert near.rates.tolist() == pytest.approx([1 / 5] * 5 + [1] + [1 / 2] * 2 + [1 / 4] * 4)


def test_edges_of_a_foreign_node_take_part_where_the_node_was_chosen():
    near = _Near(GRAPH, marked(GRAPH, KNOWN))
    names = [str(GRAPH.writers[w]) for w in near.foreign]
    assert names == ["a0.h0", "m0", "a1.h0", "a1.h1"]
    none = texts(GRAPH, near.taking_part(torch.zeros(4, dtype=torch.bool)))
    assert set(KNOWN) < none
    assert "a0.h1 -> out" in none
    assert not any(name in text for text in none for name in names)
    one = texts(GRAPH, near.taking_part(torch.tensor([False, True, False, False])))
    assert {text for text in one - none if "m0" not in text} == set()
    assert {"tok -> m0", "a0.h1 -> m0", "m0 -> m1", "m0 -> out"} <= one - none
    assert near.taking_part(torch.ones(4, dtype=torch.bool)).all()


def test_samples_lack_as_many_edges_and_groups_as_the_settings_say():
    near = _Near(GRAPH, marked(GRAPH, KNOWN))
    p = near.known.float()
    few = EliteSettings(lacking=((2.0, 0.0),))
    gates = _sample(few, near, p, 1400, seeded())
    assert len(gates) == 1400
    assert not gates[:, ~near.known].any()
    assert float(7 - gates.sum(1).mean()) == pytest.approx(2.0, abs=0.1)
    groups = EliteSettings(lacking=((0.0, 0.5),))
    gates = _sample(groups, near, p, 1400, seeded())
    # One group of each kind is left out half of the time: an edge is whole only if it is in none of the four.
    whole = (gates[:, near.known].sum(1) == 7).float().mean()
    each = [(1 - 0.5 / n) ** n for n in (5, 1, 2, 4)]
    assert float(whole) == pytest.approx(torch.tensor(each).prod().item(), abs=0.04)


def test_gates_outside_are_sampled_only_among_those_that_take_part():
    near = _Near(GRAPH, marked(GRAPH, KNOWN))
    p = torch.where(near.known, 1.0, 0.75)
    gates = _sample(EliteSettings(nodes=0.0), near, p, 64, seeded())
    part = near.taking_part(torch.zeros(4, dtype=torch.bool))
    assert not gates[:, ~part].any()
    outside = gates[:, part & ~near.known]
    assert float(outside.mean()) == pytest.approx(0.75, abs=0.08)


def test_the_elite_are_right_on_every_item_of_the_step_and_no_other_is():
    work = task("last_a", "resample")
    gates = (torch.rand(60, work.graph.n_edges, generator=seeded()) < 0.95).float()
    pool = ItemPool(len(work.items), fresh=len(work.items), kept=0, generator=seeded())
    fewer = torch.arange(60) % 3 > 0
    found = _elites(work, EliteSettings(screens=(1, 2)), gates, fewer, pool, set())
    wrong = wrong_items(work, gates, torch.arange(len(work.items)))
    right = ~wrong.any(1)
    assert right.any()
    assert (wrong.any(1) & ~wrong.all(1)).any()  # some circuits are wrong on some items only
    assert found.tolist() == (right & fewer).tolist()


def test_a_circuit_that_was_wrong_is_not_run_again_whatever_the_items_and_its_dead_edges(monkeypatch):
    work, ran = task("last_a", "resample"), []
    monkeypatch.setattr(
        cross_entropy, "wrong_items", lambda *args: ran.append(len(args[1])) or wrong_items(*args)
    )
    gates = (torch.rand(60, work.graph.n_edges, generator=seeded()) < 0.95).float()
    wrong = wrong_items(work, gates, torch.arange(len(work.items))).any(1)
    pool = ItemPool(len(work.items), fresh=len(work.items), kept=0, generator=seeded())
    failed: set[bytes] = set()
    every = torch.ones(60, dtype=torch.bool)
    assert torch.equal(_elites(work, EliteSettings(), gates, every, pool, failed), ~wrong)
    assert ran[0] == 60
    assert len(failed) == len(live_edges(work.graph, gates[wrong] > 0).unique(dim=0))
    ran.clear()
    same = live_edges(work.graph, gates > 0).float()
    assert not torch.equal(same, gates)
    easy = wrong_items(work, gates, torch.arange(len(work.items))).float().mean(0).argmin()
    monkeypatch.setattr(ItemPool, "draw", lambda pool: easy[None])
    assert torch.equal(_elites(work, EliteSettings(), same, every, pool, failed), ~wrong)
    assert ran == [int((~wrong).sum())]


@pytest.mark.parametrize("outside", [False, True])
def test_at_a_smallest_circuit_nothing_is_found_in_as_many_steps_as_patience_has(outside):
    work = task("cancelling_pair", "zero")
    known = marked(work.graph, truth("cancelling_pair", "zero").texts)
    found = train_by_elites(work, EliteSettings(), known, pool_of(work), set(), outside=outside)
    assert found.p is None
    assert found.steps == EliteSettings().patience


def test_patience_is_as_many_samples_an_edge_where_a_step_is_cut_short():
    work = task("cancelling_pair", "zero")
    known = marked(work.graph, truth("cancelling_pair", "zero").texts)
    n = int(known.sum())
    short = EliteSettings(per_edge=12, most=4 * n, patience=2)
    assert train_by_elites(work, short, known, pool_of(work), set(), outside=False).steps == 6


def test_a_pair_that_cancels_is_dropped_together():
    work = task("cancelling_pair", "zero")
    stuck = EdgePruningScoreFunction(kicks=dataclasses.replace(EdgePruningScoreFunction().kicks, rounds=0))(
        work
    ).circuit
    smallest = truth("cancelling_pair", "zero")
    assert smallest.edges < stuck.edges
    found = train_by_elites(
        work, EliteSettings(), marked(work.graph, stuck.texts), pool_of(work), set(), outside=False
    )
    assert found.p is not None
    kept = texts(work.graph, found.p > 0.5)
    assert set(smallest.texts) <= kept < set(stuck.texts)


def test_what_is_followed_are_the_elite_with_fewest_edges_and_a_part_of_the_way():
    work = task("hist", "zero")
    known = torch.ones(work.graph.n_edges, dtype=torch.bool)
    settings = EliteSettings(follow=1, lacking=((1.0, 0.0),))
    found = train_by_elites(work, settings, known, pool_of(work), set(), outside=False)
    generator = pool_of(work).generator
    gates = _sample(
        settings, _Near(work.graph, known), known.float(), settings.per_edge * len(known), generator
    )
    kept = gates.sum(1)
    right = ~wrong_items(work, gates, torch.arange(len(work.items))).any(1) & (kept < len(known))
    assert kept[right].min() < kept[right].max()
    best = gates[right & (kept == kept[right].min())].mean(0)
    assert found.p is not None
    assert torch.allclose(found.p, 1 + settings.rate * (best - 1))
