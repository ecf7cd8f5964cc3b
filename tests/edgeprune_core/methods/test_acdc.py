"""ACDC: the same circuit as a plain transcription of Algorithm 1; and its sweep of thresholds."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge
from edgeprune_core.methods import Acdc
from edgeprune_core.task import Task
from tests.edgeprune_core.methods.subjects import llama, prompts
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of


class Plain:
    """Algorithm 1, edge by edge: circuits are sets of edges, divergences are computed per item, and nothing is cached."""

    def __init__(self, task, tau: float) -> None:
        self.task, self.tau, self.runs = task, tau, 0
        self.kept: set[Edge] = set(task.graph.edges)
        self.growth = dict.fromkeys(task.graph.edges, 0.0)
        self.now = self.divergence(self.kept)
        for reader in reversed(task.graph.readers):
            self.process(reader)

    def process(self, reader) -> None:
        graph = self.task.graph
        own = {writer for writer in graph.writers if reader in graph.readers_of(writer)}
        sent_on = [edge for edge in self.kept if edge.writer in own]
        for edge in reversed([edge for edge in graph.edges if edge.reader == reader]):
            if str(reader) != "out" and not sent_on:
                self.kept.remove(edge)
                continue
            without = self.divergence(self.kept - {edge})
            self.growth[edge] = without - self.now
            if without - self.now < self.tau:
                self.kept.remove(edge)
                self.now = without

    def divergence(self, edges) -> float:
        self.runs += 1
        task, total, n = self.task, 0.0, 0
        from_edges = torch.zeros(1, len(task.graph.readers), len(task.graph.writers), dtype=torch.float64)
        for edge in edges:
            from_edges[0, edge.reader.index, edge.writer.index] = 1
        for item in task.items:
            got = task.outputs(from_edges, item[None])[0, 0]
            for place in task.scored[item[0]].nonzero()[:, 0].tolist():
                total += self.at(got[place], task.reference[item[0], place])
                n += 1
        return total / n

    def at(self, got, want) -> float:
        outcome = self.task.outcome
        if outcome.criterion != "kl":
            return float(1 - torch.exp(-(((got - want) / outcome.scale) ** 2).sum()))
        p, q = want.softmax(-1), got.softmax(-1)
        return float((p * (p / q).log()).sum())


def same(task, tau: float) -> Plain:
    plain = Plain(task, tau)
    growth = torch.tensor([plain.growth[edge] for edge in task.graph.edges], dtype=torch.float64)
    for circuits_at_once in (1, 3, 16):
        found = Acdc(tau=tau, circuits_at_once=circuits_at_once)(task)
        assert found.circuit.edges == plain.kept
        assert (found.scores - growth).abs().max() < 1e-10
    return plain


@pytest.mark.parametrize("name", ["zero", "mean", "resample"])
def test_it_is_algorithm_1_on_prompts_however_many_circuits_run_at_once(name):
    task = prompts(llama(), name, n=3)
    # At the second tau, some heads are removed that share keys with others.
    kept = [len(same(task, tau).kept) for tau in (1e-3, 0.03)]
    assert task.graph.n_edges > kept[0] > kept[1] > 0


@pytest.mark.parametrize("name", ["zero", "mean", "resample"])
def test_it_is_algorithm_1_on_a_numerical_program(name, compiled):
    task = numbers(compiled, name)
    kept = [len(same(task, tau).kept) for tau in (1e-12, 1e-3, 1.0)]
    assert kept[1] > kept[2] == 0


def numbers(compiled, name: str):
    task = task_of(compiled("xproportion"), Setting(ablation=name, lengths=(2, 2)))
    return replace(task, items=task.items[:: -(-len(task.items) // 16)])


def test_one_at_a_time_it_makes_the_runs_of_algorithm_1_and_no_more(compiled):
    task = numbers(compiled, "zero")
    plain = Plain(task, 1e-3)
    skipped = task.graph.n_edges + 1 - plain.runs
    assert skipped > 0  # edges of nodes that no kept edge joins to the output
    assert Acdc(tau=1e-3, circuits_at_once=1)(task).hard_evaluations == plain.runs + 1


def test_no_mask_is_run_twice_in_a_sweep(monkeypatch):
    task = prompts(llama(), n=3)
    task = replace(task, outcome=replace(task.outcome, tolerance=0.003))
    seen = []

    divergences = Task.divergences

    def watched(task, masks, which, **given):
        seen.extend(tuple(mask.flatten().tolist()) for mask in masks)
        return divergences(task, masks, which, **given)

    monkeypatch.setattr(Task, "divergences", watched)
    found = Acdc()(task)
    taus = [tau for tau in Acdc().taus if tau >= found.notes["tau"]]
    assert len(taus) > 2
    assert len(seen) == len(set(seen)) == found.hard_evaluations - len(taus)


def test_edges_stay_where_their_loss_costs_tau_or_more():
    task = prompts(llama(), "zero", n=3)
    found = Acdc(tau=1e-3)(task)
    stayed = {
        edge for edge, growth in zip(task.graph.edges, found.scores.tolist(), strict=True) if growth >= 1e-3
    }
    assert found.circuit.edges == stayed
    assert found.circuit == found.circuit.connected()


@pytest.mark.parametrize("circuits_at_once", [1, 16])
def test_an_edge_stays_where_its_loss_costs_exactly_tau_or_no_number_says_what_it_costs(
    circuits_at_once, monkeypatch
):
    task = prompts(llama(), n=2)
    just, less, unknown = [edge for edge in task.graph.edges if edge.reader.kind == "out"][:3]
    costs = {just.key: 0.25, less.key: 0.125, unknown.key: math.nan}

    def divergences(task, masks, which, **given):
        return torch.tensor([sum(cost for at, cost in costs.items() if not mask[at]) for mask in masks])

    monkeypatch.setattr(Task, "divergences", divergences)
    found = Acdc(tau=0.25, circuits_at_once=circuits_at_once)(task)
    assert found.circuit == Circuit.of(task.graph, [just, unknown])


def test_the_sweep_stops_at_the_largest_tau_whose_circuit_is_accepted():
    task = prompts(llama(), n=3)
    task = replace(task, outcome=replace(task.outcome, tolerance=0.003))
    found = Acdc()(task)
    assert found.notes["accepted"]
    assert task.accepts(found.circuit)
    larger = [tau for tau in Acdc().taus if tau > found.notes["tau"]]
    assert larger
    assert not any(task.accepts(Acdc(tau=tau)(task).circuit) for tau in larger)
    assert Acdc(tau=found.notes["tau"])(task).circuit == found.circuit


def test_a_sweep_has_the_circuit_of_each_tau():
    task, taus = prompts(llama(), n=3), (0.3, 0.01, 0.0001)
    found = [circuit for _, circuit in Acdc(swept=taus).sweep(task)]
    assert found == [Acdc(tau=tau)(task).circuit for tau in taus]
    assert len(set(found)) == len(taus)


def test_where_no_circuit_is_accepted_the_last_comes_back_and_is_called_so():
    task = prompts(llama(), n=3)
    task = replace(task, outcome=replace(task.outcome, tolerance=1e-9))
    method = Acdc(count=6)
    found = method(task)
    assert found.notes == {"tau": method.taus[-1], "accepted": False}
    assert found.circuit == Acdc(tau=method.taus[-1])(task).circuit != Circuit.full(task.graph)


@pytest.mark.parametrize("name", ["zero", "mean", "resample"])
@pytest.mark.parametrize("program", ["reverse", "pair_balance"])
def test_on_small_programs_it_finds_what_is_required(program, name, compiled):
    setting = Setting(ablation=name, lengths=(1, 3))
    task = task_of(compiled(program), setting)
    assert Acdc()(task).circuit == certify(task, setting).required
