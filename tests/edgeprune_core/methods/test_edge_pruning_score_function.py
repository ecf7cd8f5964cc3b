"""Edge pruning by the score function: exact recovery in one setting, and the rules it must keep."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.methods import EdgePruningScoreFunction, RandomEdges, edge_pruning_score_function
from edgeprune_core.methods.candidates import Candidates, Restarts
from edgeprune_core.task import Task
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.score_function import Chains, ScoreSettings, _close, _ok_weights, train_by_score
from tests import zoo
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of


def task(name: str, ablation: str, seed: int = 0, **setting) -> Task:
    return dataclasses.replace(task_of(zoo.compiled(name), Setting(ablation=ablation, **setting)), seed=seed)


def required(name: str, ablation: str) -> Circuit:
    setting = Setting(ablation=ablation)
    return certify(task_of(zoo.compiled(name), setting), setting).required


@pytest.mark.parametrize("ablation", ["zero", "mean", "resample"])
@pytest.mark.parametrize("name", ["reverse", "xproportion", "pair_balance", "sort"])
def test_the_default_setting_finds_exactly_what_is_required(name, ablation):
    assert EdgePruningScoreFunction()(task(name, ablation, seed=7)).circuit == required(name, ablation)


def test_kicks_leave_a_circuit_from_which_no_edge_can_go_by_itself():
    stuck = EdgePruningScoreFunction(kicks=dataclasses.replace(EdgePruningScoreFunction().kicks, rounds=0))(
        task("cancelling_pair", "zero")
    )
    free = EdgePruningScoreFunction()(task("cancelling_pair", "zero"))
    truth = required("cancelling_pair", "zero")
    assert truth.edges < stuck.circuit.edges
    assert free.circuit == truth


def test_the_same_seed_gives_the_same_circuit_and_scores_bit_for_bit():
    runs = [EdgePruningScoreFunction()(task("sort", "resample", seed=s)) for s in (5, 5, 6)]
    assert runs[0].circuit == runs[1].circuit
    assert torch.equal(runs[0].scores, runs[1].scores)
    assert not torch.equal(runs[0].scores, runs[2].scores)


def test_a_seed_alone_gives_what_it_gives_after_others():
    method, shared = EdgePruningScoreFunction(), task("hist", "zero")
    *_, last = [method(dataclasses.replace(shared, seed=s)) for s in (0, 2)]
    alone = EdgePruningScoreFunction()(task("hist", "zero", seed=2))
    assert last.circuit == alone.circuit
    assert torch.equal(last.scores, alone.scores)
    assert last.steps == alone.steps


def test_the_global_random_state_neither_matters_nor_moves():
    before = torch.random.get_rng_state()
    first = EdgePruningScoreFunction()(task("xproportion", "zero"))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(99)
    assert torch.equal(EdgePruningScoreFunction()(task("xproportion", "zero")).scores, first.scores)


class Counting(Task):
    """A task that counts the runs of whole candidates, and remembers them."""

    seen: list[int] = []  # noqa: RUF012 - shared on purpose: `replace` makes new tasks

    def deviations(self, circuits, items=None):
        self.seen.append(1 if isinstance(circuits, Circuit) else len(circuits))
        return super().deviations(circuits, items)


@pytest.mark.parametrize(("name", "ablation"), [("cancelling_pair", "zero"), ("reverse", "resample")])
def test_at_most_eight_whole_candidates_are_run_and_all_are_counted(name, ablation):
    plain = task(name, ablation)
    fields = {f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)}
    Counting.seen.clear()
    found = EdgePruningScoreFunction()(Counting(**fields))
    assert 1 <= sum(Counting.seen) == found.hard_evaluations <= 8
    assert set(Counting.seen) == {1}


def test_of_accepted_candidates_the_smallest_is_kept_and_of_others_the_nearest(monkeypatch):
    work = task("xproportion", "zero")
    run, edges, limit = Candidates(work), list(work.graph.edges), work.outcome.limit
    off = {12: 3 * limit, 9: 2 * limit, 10: 0.0, 5: limit / 2, 6: 0.0, 4: 2 * limit}  # by size
    monkeypatch.setattr(Task, "deviations", lambda task, circuit: torch.tensor([[off[len(circuit)]]]))
    kept = []
    for size in off:
        run.consider(Circuit.of(work.graph, edges[:size]), torch.zeros(len(edges)))
        kept.append(len(run.circuit))
    assert kept == [12, 9, 10, 5, 5, 5]
    assert run.hard_evaluations == len(off)


def test_a_vacuous_setting_gives_the_empty_circuit():
    work = task("xproportion", "resample", lengths=(1, 1))
    nothing = dataclasses.replace(work, items=work.items[work.items[:, 0] == work.items[:, 1]])
    assert EdgePruningScoreFunction()(nothing).circuit == Circuit.empty(work.graph)


def test_what_is_returned_has_no_dangling_edges():
    found = EdgePruningScoreFunction(kicks=dataclasses.replace(EdgePruningScoreFunction().kicks, rounds=0))(
        task("pair_balance", "zero")
    )
    assert found.circuit == found.circuit.connected()


def test_a_tolerance_nothing_can_meet_returns_the_best_candidate_after_all_restarts(monkeypatch):
    work = task("xproportion", "zero")
    strict = dataclasses.replace(work, outcome=dataclasses.replace(work.outcome, tolerance=-1.0))
    quick = dataclasses.replace(EdgePruningScoreFunction().score, steps=5)
    tried, train = [], edge_pruning_score_function._Run.train
    monkeypatch.setattr(
        edge_pruning_score_function._Run,
        "train",
        lambda run, gentler: tried.append(gentler) or train(run, gentler),
    )
    found = EdgePruningScoreFunction(score=quick)(strict)
    assert found.hard_evaluations == len(tried) == 6
    assert tried == [1, 0.5, 0.25, 0.125, 0.125, 0.125]
    many = EdgePruningScoreFunction(score=quick, restarts=Restarts(count=11))(strict)
    assert many.hard_evaluations == EdgePruningScoreFunction().budget == 8


def test_ok_circuits_share_the_weight_and_the_least_wrong_do_where_none_is():
    wrong = torch.tensor([[[0, 0], [1, 1]], [[0, 1], [0, 1]], [[0, 0], [1, 1]]], dtype=torch.bool)
    weight, n = _ok_weights(wrong)
    assert weight[:, 0].tolist() == [0.5, 0, 0.5]
    assert weight[:, 1].tolist() == [0, 1, 0]
    assert n.tolist() == [2, 1]


def test_chains_are_trained_apart_from_each_other():
    work = task("xproportion", "zero").to(torch.float32)
    settings = dataclasses.replace(ScoreSettings(), steps=80)
    start = torch.full((3, work.graph.n_edges), settings.start)
    start[1] = -settings.start
    pool = ItemPool(len(work.items), 8, 8, torch.Generator().manual_seed(0))
    state = train_by_score(work, settings, start, pool)
    assert state.open()[0].any()
    assert state.open()[2].any()
    assert not torch.equal(state.log_alpha[0], state.log_alpha[2])


def test_the_pool_keeps_items_that_tell_circuits_apart_and_no_more_than_it_may():
    pool = ItemPool(1000, fresh=4, kept=3, generator=torch.Generator().manual_seed(0))
    for start in range(0, 40, 4):
        rows = torch.arange(start, start + 4)
        wrong = torch.zeros(2, 4, dtype=torch.bool)
        wrong[1, 2] = True
        pool.remember_failures(rows, wrong)
    assert len(pool.hard) == 3
    assert set((pool.hard % 4).tolist()) == {2}
    assert pool.draw()[:3].tolist() == pool.hard.tolist()


def test_the_pool_learns_from_the_circuits_that_fail_on_the_fewest_items_however_many_fail_on_none():
    pool = ItemPool(1000, fresh=8, kept=8, generator=torch.Generator().manual_seed(0))
    wrong = torch.zeros(12, 8, dtype=torch.bool)
    for circuit, n in ((5, 8), (7, 1), (9, 2)):
        wrong[circuit, :n] = True
    pool.remember_failures(torch.arange(100, 108), wrong, n_circuits=2)
    assert set(pool.hard.tolist()) <= {100, 101}
    assert 100 in pool.hard.tolist()


def test_what_the_pool_remembers_outlives_what_it_shows_and_is_all_shown_where_it_is_recalled():
    pool = ItemPool(1000, fresh=4, kept=3, generator=torch.Generator().manual_seed(0), memory=6)
    for start in range(0, 40, 4):
        pool.remember_failures(torch.arange(start, start + 4), torch.tensor([[False, False, True, False]]))
    assert len(pool.remembered) == 6
    assert set((pool.remembered % 4).tolist()) == {2}
    assert set(pool.hard.tolist()) <= set(range(2, 40, 4))
    recalled = pool.recalling(fresh=5)
    drawn = recalled.draw()
    assert len(drawn) == 6 + 5
    assert drawn[:6].tolist() == pool.remembered.tolist()
    recalled.remember_failures(torch.tensor([500]), torch.tensor([[True]]))
    assert len(recalled.hard) == 6, "at later steps too"
    assert set(recalled.hard.tolist()) <= {*pool.remembered.tolist(), 500}


def test_a_chain_that_is_never_right_is_given_up():
    work = task("xproportion", "zero").to(torch.float32)
    strict = dataclasses.replace(work, outcome=dataclasses.replace(work.outcome, tolerance=-1.0))
    settings = dataclasses.replace(ScoreSettings(), hopeless=20, off=-100.0)
    start = torch.full((1, work.graph.n_edges), settings.start)
    pools = [ItemPool(len(work.items), 8, 8, torch.Generator().manual_seed(0)) for _ in range(2)]
    assert train_by_score(strict, settings, start, pools[0]).steps == 20
    assert train_by_score(work, settings, start, pools[1]).steps > 20


def test_random_edges_depend_on_the_seed_alone():
    found = [RandomEdges(keep_fraction=0.6)(task("reverse", "zero", seed=s)).circuit for s in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    assert found[0] == found[0].connected()


def test_a_gate_that_falls_closes_those_that_led_to_the_output_through_it_alone():
    hist = task("hist", "zero")
    edges = list(map(str, hist.graph.edges))
    start = torch.tensor([[-4.0 if edge == "m0 -> out" else 6.0 for edge in edges]] * 2)
    start[1] = 6.0
    state = Chains.starting_at(start)
    _close(hist, ScoreSettings(), state, torch.arange(2))
    closed = [{edge for edge, shut in zip(edges, row, strict=True) if shut} for row in state.closed.tolist()]
    assert closed == [{"m0 -> out", "tok -> m0", "pos -> m0", "a0.h0 -> m0"}, set()]
