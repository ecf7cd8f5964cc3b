"""A break of the core for every invariant, and the subject on which it shows: each is a way this field went wrong."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from edgeprune_core import attribution, criterion, faithfulness, mask, task, ties, weights
from edgeprune_core.ablations import Mean
from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome
from edgeprune_core.engine import forward, stream
from edgeprune_core.engine.blocks import attention, mlp
from edgeprune_core.families import base as families
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.methods import acdc, candidates, edge_pruning_score_function, exact, top_edges
from edgeprune_core.metrics import answers
from edgeprune_core.training import cross_entropy, pathwise, score_function
from edgeprune_core.training.gates import HardConcrete
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.prices import SparsityTarget
from tracrcheck.invariants import discretisation, gates
from tracrcheck.truth import cache, certify
from tracrcheck.truth import permitted as structure


def future_edges(patch) -> None:
    before = ResidualGraph._before
    patch.setattr(
        ResidualGraph, "of", classmethod(ResidualGraph.of.__func__.__wrapped__)
    )  # without its cache
    patch.setattr(
        ResidualGraph, "_before", lambda graph, reader: before(graph, reader) + (reader.port == "q")
    )


def temperature_lost(patch) -> None:
    patch.setattr(
        HardConcrete, "p_zero", lambda gate, a: torch.sigmoid(HardConcrete(temperature=1.0).p_one(-a).logit())
    )


def one_too_many_legal(patch) -> None:
    def edge_mask(graph, *, device=None):
        reach = torch.tensor(graph.reach) - 1
        return torch.arange(len(graph.writers)) < reach[:, None]

    patch.setattr(mask, "edge_mask", edge_mask)


def marks_of_no_edge_are_read(patch) -> None:
    before = mask.edge_mask
    everywhere = lambda graph, *, device=None: torch.ones_like(before(graph, device=device))  # noqa: E731

    def circuit_from_mask(graph, kept):
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(mask, "edge_mask", everywhere)
            return mask.circuit_from_mask(graph, kept)

    patch.setattr(discretisation, "circuit_from_mask", circuit_from_mask)


def saved_in_single(patch) -> None:
    save = weights.save_file
    rounded = lambda tensors: {k: t.float().double() for k, t in tensors.items()}  # noqa: E731
    patch.setattr(
        weights, "save_file", lambda tensors, path, metadata: save(rounded(tensors), path, metadata)
    )


def repeats_count(patch) -> None:
    unique = torch.Tensor.unique
    patch.setattr(torch.Tensor, "unique", lambda t, *a, dim=None, **k: t if dim == 0 else unique(t, *a, **k))


def looks_ahead(patch) -> None:
    pattern = attention.pattern
    patch.setattr(attention, "pattern", lambda spec, *rest: pattern(replace(spec, causal=False), *rest))


def shared_noise(patch) -> None:
    sample = HardConcrete.sample
    patch.setattr(HardConcrete, "sample", lambda gate, a, u: sample(gate, a, u[..., :1].expand_as(u)))


def strata_too_wide(patch) -> None:
    def wide(circuits, shape, generator, **more):
        order = torch.rand(circuits, *shape, generator=generator).argsort(0)
        return (order + 2 * torch.rand(circuits, *shape, generator=generator)) / (circuits + 1)

    patch.setattr(gates, "stratified_uniform", wide)


def noise_in_the_middle(patch) -> None:
    """Of its stratum: seen by no share of gates, to within half of one."""

    def middle(circuits, shape, generator, **more):
        order = torch.rand(circuits, *shape, generator=generator).argsort(0)
        return (order + 0.4 + 0.2 * torch.rand(circuits, *shape, generator=generator)) / circuits

    patch.setattr(gates, "stratified_uniform", middle)


def clean_and_corrupted_swapped(patch) -> None:
    background = task.Task.background
    patch.setattr(task.Task, "background", lambda self, items: background(self, items.flip(1)))


def query_reads_as_key(patch) -> None:
    heads = forward.attended
    patch.setattr(
        forward, "attended", lambda model, layer, q, k, v, **rest: heads(model, layer, k, k, v, **rest)
    )


def mlp_blind_to_its_heads(patch) -> None:
    continue_read = stream.Stream.continue_read

    def blind(own, row, seen, base, written):
        whole, own.written = own.written, own.written - 1  # the last head before the MLP
        try:
            return continue_read(own, row, seen, base, written)
        finally:
            own.written = whole

    patch.setattr(stream.Stream, "continue_read", blind)


def shares_rounded(patch) -> None:
    run = task.run
    patch.setattr(
        task, "run", lambda model, tokens, m, *rest, **more: run(model, tokens, m.round(), *rest, **more)
    )


def too_little_permitted(patch) -> None:
    permitted = structure.permitted

    def fewer(model, tokens, **more):
        found = permitted(model, tokens, **more)
        return found - Circuit(found.graph, frozenset(e for e in found.edges if e.writer.kind == "tok"))

    patch.setattr(structure, "permitted", fewer)


def keys_dangle(patch) -> None:
    connected = Circuit.connected

    def fewer(circuit):
        found = connected(circuit)
        return Circuit(found.graph, frozenset(e for e in found.edges if e.reader.port != "k"))

    patch.setattr(Circuit, "connected", fewer)


def scale_lost(patch) -> None:
    pattern = attention.pattern
    patch.setattr(
        attention, "pattern", lambda spec, q, k, valid: pattern(spec, q * spec.d_head**0.5, k, valid)
    )


def directions_told_apart(patch) -> None:
    unembed = forward.unembed
    patch.setattr(forward, "unembed", lambda model, x: unembed(model, x.clamp(min=0)))


def half_precision_softmax(patch) -> None:
    softmax = attention._softmax

    def rough(scores):
        p = softmax(scores)
        return p.bfloat16().float() if p.dtype == torch.float32 else p

    patch.setattr(attention, "_softmax", rough)


def batch_leaks(patch) -> None:
    mlp = forward.mlp_output

    def leaky(model, layer, x):
        out = mlp(model, layer, x)
        return out + 1e-3 * (out.mean(-3, keepdim=True) - out)

    patch.setattr(forward, "mlp_output", leaky)


def first_head_lost(patch) -> None:
    heads = forward.attended

    def fewer(*args, **rest):
        out = heads(*args, **rest).clone()
        if out.shape[-4] > 1:
            out[..., 0, :, :, :] = 0
        return out

    patch.setattr(forward, "attended", fewer)


def scores_shifted(patch) -> None:
    values = attribution.edge_values
    patch.setattr(attribution, "edge_values", lambda graph, m: values(graph, m).roll(1, -1))


def truth_by_head_number(patch) -> None:
    permitted = certify.permitted

    def fewer(model, tokens):
        found = permitted(model, tokens)
        cut = frozenset(e for e in found.edges if (e.reader.port, e.reader.head) == ("v", 0))
        return found - Circuit(found.graph, cut)

    patch.setattr(certify, "permitted", fewer)


def gradient_elsewhere(patch) -> None:
    to_mask = attribution.to_mask
    patch.setattr(attribution, "to_mask", lambda *args, **more: 0.9 * to_mask(*args, **more))


def gradient_stops(patch) -> None:
    write = stream.Stream.write
    patch.setattr(stream.Stream, "write", lambda stream, out, writers: write(stream, out.detach(), writers))


def gain_forgotten(patch) -> None:
    """In the folded model, of the first norm of each layer."""
    tensors = weights.Weights.tensors

    def ungained(own):
        found = tensors(own)
        return (
            found | {"norm1_gain": torch.ones_like(found["norm1_gain"])} if "norm1_gain" in found else found
        )

    patch.setattr(weights.Weights, "tensors", ungained)


def ends_swapped(patch) -> None:
    circuits = faithfulness._circuits

    def swapped(*args):
        rows = circuits(*args)
        return rows[[1, 0, *range(2, len(rows))]]

    patch.setattr(faithfulness, "_circuits", swapped)


def margins_rounded_apart(patch) -> None:
    """No break: where both margins coincide, the model's differs from the empty circuit's by rounding.

    A processor may round so or not, by its kernels. Here it always does: 2^-44 of the margins' size is more than the
    mean of a dozen margins can round away (two means of n terms: 2n * 2^-53), and less than any effect.
    """
    values = faithfulness._values

    def rounded(*args):
        found = values(*args)
        model, empty = found["recovered"][:2]
        if torch.allclose(model, empty):
            model.copy_(empty + 2**-44 * empty.abs().mean())
        return found

    patch.setattr(faithfulness, "_values", rounded)


def rounding_is_a_difference(patch) -> None:
    margins_rounded_apart(patch)
    patch.setattr(faithfulness, "COINCIDE", 0.0)


def gap_forgotten(patch) -> None:
    record = cache.to_record
    patch.setattr(cache, "to_record", lambda certificate: record(certificate) | {"gap_above": None})


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


def mean_of_the_last_batch(patch) -> None:
    background = Mean.background
    patch.setattr(
        Mean,
        "background",
        lambda mean, model, t, valid: background(mean, model, t, valid) * (1 + 1e-3 * len(t)),
    )


def everything_scored(patch) -> None:
    deviation = Outcome.deviation
    patch.setattr(
        Outcome,
        "deviation",
        lambda criterion, got, want, scored: deviation(criterion, got, want, torch.ones_like(scored)),
    )


def not_a_number_passes(patch) -> None:
    to_num = torch.nan_to_num
    patch.setattr(torch, "nan_to_num", lambda off, *, nan, **more: to_num(off, nan=0.0, **more))


def rounding_decides(patch) -> None:
    patch.setattr(criterion, "DECODE_TIE", 0.0)


def padding_is_an_answer(patch) -> None:
    total = answers._log_total
    patch.setattr(
        answers, "_log_total", lambda logits, ids: total(logits, None if ids is None else ids.clamp_min(0))
    )


def gelu_of_another_kind(patch) -> None:
    patch.setitem(families._ACTIVATIONS, "gelu_new", "gelu")


def last_batch_alone(patch) -> None:
    of = Mean.of

    def fewer(mean, model, inputs):
        return of(mean, model, list({t.shape[1]: t for t in inputs}.values()))

    patch.setattr(Mean, "of", fewer)


def arguments_swapped(patch) -> None:
    kl = task.kl
    patch.setattr(task, "kl", lambda got, want, *rest: kl(want.expand_as(got), got, *rest))


def scored_one_early(patch) -> None:
    tasks = importlib.import_module(
        "edgeprune_core.tasks.prompt_task"
    )  # a function of the package bears its name
    batch_of = tasks.batch_of

    def early(chunk):
        batch = batch_of(chunk)
        return replace(batch, scored=batch.scored.roll(-1, 1))

    patch.setattr(tasks, "batch_of", early)


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
    patch.setattr(cross_entropy, "_elites", lambda a_task, settings, gates, fewer, pool: fewer)


def itself_an_improvement(patch) -> None:
    right = cross_entropy._elites
    patch.setattr(
        cross_entropy,
        "_elites",
        lambda a_task, settings, gates, fewer, pool: right(a_task, settings, gates, fewer | True, pool),
    )


def scores_of_the_last(patch) -> None:
    consider = candidates.Candidates.consider

    def last(run, circuit, scores):
        better = consider(run, circuit, scores)
        run.scores = scores
        return better

    patch.setattr(candidates.Candidates, "consider", last)


def knocked_out_is_kept(patch) -> None:
    circuits = faithfulness._circuits

    def same(*args):
        rows = circuits(*args)
        rows[3] = rows[2]
        return rows

    patch.setattr(faithfulness, "_circuits", same)


def half_kept_is_alive(patch) -> None:
    before = task.open_edges
    patch.setattr(task, "open_edges", lambda mask, graph, **how: before(mask > 0.5, graph, **how))


def no_slope_at_kinks(patch) -> None:
    activate = mlp.activate
    patch.setattr(
        mlp, "activate", lambda spec, x: torch.relu(x) if spec.activation == "relu" else activate(spec, x)
    )


def rounding_has_a_sign(patch) -> None:
    patch.setattr(task, "AT_MEAN", 0.0)


def noise_is_ranked(patch) -> None:
    patch.setattr(ties, "TIE", dict.fromkeys(ties.TIE, 0.0))


def ten_times_tau(patch) -> None:
    prune = acdc._prune
    patch.setattr(acdc, "_prune", lambda metric, tau: prune(metric, 10 * tau))


# Invariant -> (break, subject): a kind of small model with its seed, or a drawn program of that seed.
BREAKS: dict[str, list[tuple[Callable, str, int]]] = {
    "legal_edges": [(future_edges, "gpt2", 0)],
    "closed_forms": [(temperature_lost, "gpt2", 0)],
    "masks_and_circuits": [(one_too_many_legal, "llama", 0), (marks_of_no_edge_are_read, "gpt2", 0)],
    "circuit_and_model": [(saved_in_single, "gpt2", 0)],
    "repeated_references": [(repeats_count, "llama", 0)],
    "causality": [(looks_ahead, "llama", 0)],
    "sampled_gates": [(shared_noise, "gpt2", 0)],
    "strata": [(strata_too_wide, "gpt2", 0), (noise_in_the_middle, "gpt2", 0)],
    "none_kept": [(clean_and_corrupted_swapped, "llama", 0)],
    "one_edge_cut": [(query_reads_as_key, "gpt2", 0)],
    "any_circuit": [
        (mlp_blind_to_its_heads, "gpt2", 0),
        (mean_of_the_last_batch, "gpt2", 0),
        (batch_leaks, "program", 0),
    ],
    "any_share": [(shares_rounded, "gpt2", 0), (half_kept_is_alive, "gpt2", 0)],
    "outside_permitted": [(too_little_permitted, "plain", 0), (too_little_permitted, "program", 0)],
    "dangling": [(keys_dangle, "llama", 0)],
    "all_kept": [(scale_lost, "llama", 0)],
    "rotation": [(directions_told_apart, "plain", 0)],
    "folding": [(gain_forgotten, "gpt2", 0), (gain_forgotten, "llama", 1)],
    "precision": [(half_precision_softmax, "plain", 1)],
    "batching": [(batch_leaks, "gpt2", 0)],
    "permuted_outputs": [(first_head_lost, "gpt2", 0)],
    "permuted_gradients": [(scores_shifted, "llama", 0)],
    "exact_on_linear": [(gradient_elsewhere, "plain", 0), (no_slope_at_kinks, "plain", 0)],
    "mask_gradient": [(gradient_stops, "gpt2", 0)],
    "completeness": [(gradient_stops, "llama", 0)],
    "normalised": [(ends_swapped, "gpt2", 0), (rounding_is_a_difference, "gpt2", 1)],
    "certificate": [(gap_forgotten, "program", 0)],
    "permuted_truth": [(truth_by_head_number, "program", 0)],
    "permuted_pruning": [(first_edge_is_dear, "gpt2", 0)],
    "determinism": [(global_noise, "llama", 1)],
    "reported_circuit": [(one_edge_unreported, "llama", 1)],
    "criterion": [
        (everything_scored, "gpt2", 0),
        (not_a_number_passes, "gpt2", 0),
        (rounding_decides, "gpt2", 0),
    ],
    "margins": [(padding_is_an_answer, "gpt2", 0), (rounding_has_a_sign, "gpt2", 0)],
    "checkpoints": [(gelu_of_another_kind, "gpt2", 0)],
    "pooling": [(last_batch_alone, "llama", 0)],
    "divergences": [(arguments_swapped, "gpt2", 0)],
    "prompts": [(scored_one_early, "gpt2", 0)],
    "along_inputs": [(half_way_only, "gpt2", 0)],
    "pathwise_by_hand": [(multipliers_stay, "gpt2", 0)],
    "score_by_hand": [(gates_reopen, "gpt2", 0)],
    "hard_items": [(items_forgotten, "gpt2", 0)],
    "candidates": [(judged_by_the_mean, "gpt2", 0), (scores_of_the_last, "gpt2", 0)],
    "elites_by_hand": [(all_elite, "gpt2", 0), (itself_an_improvement, "gpt2", 0)],
    "exact_scores": [(cuts_pile_up, "gpt2", 0)],
    "shortest_head": [(one_edge_more, "gpt2", 0), (noise_is_ranked, "gpt2", 0)],
    "matrix": [(knocked_out_is_kept, "gpt2", 0)],
    "acdc": [(ten_times_tau, "gpt2", 0)],
}

# Breaks of one part that must leave these green: the rest of the engine is as it was.
UNTOUCHED = {
    "future_edges": ("closed_forms", "circuit_and_model"),
    "temperature_lost": ("legal_edges", "any_circuit"),
    "saved_in_single": ("all_kept", "masks_and_circuits"),
    "looks_ahead": ("legal_edges", "batching"),
    "shared_noise": ("closed_forms", "any_circuit"),
    "clean_and_corrupted_swapped": ("all_kept", "legal_edges"),
    "query_reads_as_key": ("legal_edges", "batching"),
    "shares_rounded": ("one_edge_cut", "any_circuit", "all_kept"),
    "keys_dangle": ("any_circuit", "one_edge_cut"),
    "directions_told_apart": ("legal_edges", "batching"),
    "half_precision_softmax": ("all_kept", "any_circuit", "rotation"),
    "scores_shifted": ("mask_gradient", "any_share"),
    "gradient_elsewhere": ("any_share", "any_circuit"),
    "gradient_stops": ("any_circuit", "all_kept", "one_edge_cut"),
    "ends_swapped": ("all_kept", "none_kept"),
    "global_noise": ("any_circuit", "closed_forms"),
    "one_edge_unreported": ("any_circuit", "masks_and_circuits"),
    "everything_scored": ("any_circuit", "margins"),
    "gelu_of_another_kind": ("any_circuit", "prompts"),
    "last_batch_alone": ("repeated_references", "any_circuit"),
    "arguments_swapped": ("criterion", "matrix"),
    "half_way_only": ("mask_gradient", "exact_scores"),
    "multipliers_stay": ("closed_forms", "sampled_gates"),
    "cuts_pile_up": ("masks_and_circuits", "one_edge_cut"),
    "knocked_out_is_kept": ("normalised", "any_circuit"),
}
