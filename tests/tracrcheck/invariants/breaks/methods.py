"""Breaks of the methods: mask variables, training, scores and the circuit that is reported."""

from __future__ import annotations

import torch

from edgeprune_core import attribution, ties
from edgeprune_core.circuit import Circuit
from edgeprune_core.methods import acdc, candidates, edge_pruning_score_function, exact, top_edges
from edgeprune_core.training import cross_entropy, pathwise, score_function
from edgeprune_core.training.gates import HardConcrete
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.prices import SparsityTarget
from tracrcheck.invariants import gates


def temperature_lost(patch) -> None:
    patch.setattr(
        HardConcrete, "p_zero", lambda gate, a: torch.sigmoid(HardConcrete(temperature=1.0).p_one(-a).logit())
    )


def shared_noise(patch) -> None:
    sample = HardConcrete.sample
    patch.setattr(HardConcrete, "sample", lambda gate, a, u: sample(gate, a, u[..., :1].expand_as(u)))


def strata_too_wide(patch) -> None:
    def wide(circuits, shape, generator, **more):
        order = torch.rand(circuits, *shape, generator=generator).argsort(0)
        return (order + 2 * torch.rand(circuits, *shape, generator=generator)) / (circuits + 1)

    patch.setattr(gates, "stratified_uniform", wide)


def noise_in_the_middle(patch) -> None:
    """The noise lies in the middle of its stratum, which changes no share of gates by more than half a gate."""

    def middle(circuits, shape, generator, **more):
        order = torch.rand(circuits, *shape, generator=generator).argsort(0)
        return (order + 0.4 + 0.2 * torch.rand(circuits, *shape, generator=generator)) / circuits

    patch.setattr(gates, "stratified_uniform", middle)


def scores_shifted(patch) -> None:
    values = attribution.edge_values
    patch.setattr(attribution, "edge_values", lambda graph, m: values(graph, m).roll(1, -1))


def gradient_elsewhere(patch) -> None:
    everything = attribution._everything
    patch.setattr(attribution, "_everything", lambda task: 0.9 * everything(task))


def first_edge_is_dear(patch) -> None:
    backward = pathwise.PathwiseTraining._backward

    def dearer(training, gates, rows):
        gates[:, 1:9].mean().backward(retain_graph=True)
        backward(training, gates, rows)

    patch.setattr(pathwise.PathwiseTraining, "_backward", dearer)


def global_noise(patch) -> None:
    def drawn(circuits, shape, generator, *, dtype=torch.float32):
        return torch.rand(circuits, *shape, dtype=dtype)

    patch.setattr(score_function, "stratified_uniform", drawn)


def one_edge_unreported(patch) -> None:
    circuit = candidates.open_circuit

    def fewer(*args):
        found = circuit(*args)
        return Circuit(found.graph, frozenset(sorted(found.edges)[1:]))

    patch.setattr(edge_pruning_score_function, "open_circuit", fewer)


def half_way_only(patch) -> None:
    at_input = attribution._at_input
    patch.setattr(
        attribution,
        "_at_input",
        lambda a_task, items, carried, share: at_input(a_task, items, carried, share / 2),
    )


def multipliers_stay(patch) -> None:
    patch.setattr(SparsityTarget, "ascend", lambda target, multipliers: None)


def cuts_pile_up(patch) -> None:
    values = exact.mask_from_edge_values
    patch.setattr(exact, "mask_from_edge_values", lambda graph, kept: values(graph, kept.cumprod(0)))


def one_edge_more(patch) -> None:
    first = top_edges._first
    patch.setattr(top_edges, "_first", lambda a_task, order, n: first(a_task, order, n + 1))


def gates_reopen(patch) -> None:
    patch.setattr(score_function, "_close", lambda a_task, settings, state, on: None)


def items_forgotten(patch) -> None:
    some = ItemPool._at_most
    patch.setattr(ItemPool, "_at_most", lambda pool, items, most: some(pool, items, most)[:0])


def judged_by_the_mean(patch) -> None:
    consider = candidates.Candidates.consider

    def milder(run, circuit, scores):
        mean = run.task.deviations(circuit).mean(1, keepdim=True)
        whole = run.task
        run.task = _Answering(mean, whole.outcome)
        try:
            return consider(run, circuit, scores)
        finally:
            run.task = whole

    patch.setattr(candidates.Candidates, "consider", milder)


class _Answering:
    """Stands for a task whose deviations are known."""

    def __init__(self, off, criterion) -> None:
        self.off, self.outcome = off, criterion

    def deviations(self, circuit):
        return self.off


def all_elite(patch) -> None:
    patch.setattr(cross_entropy, "_elites", lambda a_task, settings, gates, fewer, pool, failed: fewer)


def itself_an_improvement(patch) -> None:
    right = cross_entropy._elites
    patch.setattr(
        cross_entropy,
        "_elites",
        lambda a_task, settings, gates, fewer, *rest: right(a_task, settings, gates, fewer | True, *rest),
    )


def scores_of_the_last(patch) -> None:
    consider = candidates.Candidates.consider

    def last(run, circuit, scores):
        better = consider(run, circuit, scores)
        run.scores = scores
        return better

    patch.setattr(candidates.Candidates, "consider", last)


def noise_is_ranked(patch) -> None:
    patch.setattr(ties, "TIE", dict.fromkeys(ties.TIE, 0.0))


def ten_times_tau(patch) -> None:
    prune = acdc._prune
    patch.setattr(acdc, "_prune", lambda metric, tau: prune(metric, 10 * tau))
