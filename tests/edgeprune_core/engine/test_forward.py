"""The engine against an independent forward in plain loops, and the laws that follow from its definition."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from edgeprune_core.ablations import Mean, Resample, Zero
from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import outputs, run, trace
from edgeprune_core.engine.blocks.rotary import rotate
from edgeprune_core.engine.stream import _span
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import mask_from_edge_values, to_mask
from tests.edgeprune_core import models, naive

EXACT = 1e-10  # float64 sums of a few hundred terms of order 1-10, in another order
LENGTHS = (4, 2, 3)
every_shape = pytest.mark.parametrize("name", models.SPECS)


def batch(name, *, seed=0, lengths=LENGTHS, longest=4):
    """Token ids `batch pos` and which are real; places beyond an input's length hold arbitrary ids."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, models.SPECS[name].d_vocab, size=(len(lengths), longest))
    valid = np.arange(longest) < np.array(lengths)[:, None]
    return torch.tensor(ids), torch.tensor(valid)


def masks_of(graph, rng, n=4):
    """Half of the masks are 0 or 1, the others lie in between."""
    values = torch.tensor(rng.random((n, graph.n_edges)))
    values[: n // 2] = (values[: n // 2] < 0.6).double()
    return mask_from_edge_values(graph, values)


def kept_by(graph, mask):
    return {(str(e.writer), str(e.reader)): float(mask[e.reader.index, e.writer.index]) for e in graph.edges}


def naive_background(ablation, model, corrupted, length):
    """What cut edges carry on one input of this length, by the naive forward alone."""
    shape, arrays = models.shape_of(model.spec), models.arrays_of(model)
    if ablation == "zero":
        return {w: np.zeros((length, model.spec.d_model)) for w in naive.nodes(shape)}
    if ablation == "resample":
        return naive.plain(shape, arrays, corrupted[:length].tolist())[1]
    runs = [naive.plain(shape, arrays, row)[1] for row in reference_inputs(model, length)]
    return {w: sum(r[w] for r in runs) / len(runs) for w in naive.nodes(shape)}


def reference_inputs(model, length):
    """Distinct inputs of one length; means are taken over them."""
    rng = random.Random(length)
    rows = {tuple(rng.randrange(model.spec.d_vocab) for _ in range(length)) for _ in range(5)}
    return [list(row) for row in sorted(rows)]


def ablation_of(name, model):
    if name == "mean":
        return Mean().of(model, [torch.tensor(reference_inputs(model, n)) for n in sorted(set(LENGTHS))])
    return {"zero": Zero(), "resample": Resample()}[name]


def assert_near(got, want, bound=EXACT):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    assert np.abs(got - want).max(initial=0) <= bound * max(1.0, np.abs(want).max(initial=0))


# ---------------------------------------------------------------- against the naive forward


@every_shape
def test_the_unpruned_run_is_the_naive_one_writer_by_writer(name):
    model, (tokens, valid) = models.model(name), batch(name)
    traced = trace(model, tokens, valid=valid)
    for row, n in enumerate(LENGTHS):
        outputs, wrote, _ = naive.plain(
            models.shape_of(model.spec), models.arrays_of(model), tokens[row, :n].tolist()
        )
        assert_near(traced.outputs[row, :n], outputs)
        for writer in ResidualGraph.of(model.spec).writers:
            assert_near(traced.writers[writer.index, row, :n], wrote[str(writer)])


@every_shape
@pytest.mark.parametrize("ablation", ["zero", "mean", "resample"])
def test_random_masks_give_what_plain_loops_give(name, ablation):
    model, (tokens, valid), (corrupted, _) = models.model(name), batch(name), batch(name, seed=1)
    graph = ResidualGraph.of(model.spec)
    masks = masks_of(graph, np.random.default_rng(2))
    background = ablation_of(ablation, model).background(model, corrupted, valid)
    got = run(model, tokens, masks, background, valid=valid)
    for row, n in enumerate(LENGTHS):
        cut = naive_background(ablation, model, corrupted[row], n)
        for circuit, mask in enumerate(masks):
            want, _, _ = naive.run(
                models.shape_of(model.spec),
                models.arrays_of(model),
                tokens[row, :n].tolist(),
                kept_by(graph, mask),
                cut,
            )
            assert_near(got[circuit, row, :n], want)


@every_shape
def test_cutting_any_single_edge_is_path_patching_by_hand(name):
    model, (tokens, _), (corrupted, _) = models.model(name), batch(name), batch(name, seed=1)
    graph, shape, arrays = ResidualGraph.of(model.spec), models.shape_of(model.spec), models.arrays_of(model)
    tokens, corrupted = tokens[:1], corrupted[:1]
    cuts = [Circuit.full(graph).without(edge) for edge in graph.edges]
    got = run(
        model, tokens, to_mask(cuts, dtype=model.dtype), Resample().background(model, corrupted, tokens >= 0)
    )
    _, patch, _ = naive.plain(shape, arrays, corrupted[0].tolist())
    moved = 0
    for out, edge in zip(got, graph.edges, strict=True):
        keep = dict.fromkeys(naive.edges(shape), 1.0) | {(str(edge.writer), str(edge.reader)): 0.0}
        want, _, _ = naive.run(shape, arrays, tokens[0].tolist(), keep, patch)
        assert_near(out[0], want)
        moved += bool((out - got.mean(0)).abs().max() > 1e-6)
    assert moved > len(graph.edges) / 2  # a cut that changes nothing would test nothing


# ---------------------------------------------------------------- the ends


@every_shape
@pytest.mark.parametrize("ablation", ["zero", "mean", "resample"])
def test_with_every_edge_kept_it_is_the_plain_model_whatever_a_cut_edge_would_carry(name, ablation):
    model, (tokens, valid), (corrupted, _) = models.model(name), batch(name), batch(name, seed=1)
    full = to_mask(Circuit.full(ResidualGraph.of(model.spec)), dtype=model.dtype)
    background = ablation_of(ablation, model).background(model, corrupted, valid)
    got = run(model, tokens, full, background, valid=valid)[0]
    assert_near(got[valid], trace(model, tokens, valid=valid).outputs[valid])


@every_shape
def test_with_no_edge_kept_under_resampling_the_outputs_are_those_of_the_corrupted_tokens(name):
    model, (tokens, valid), (corrupted, _) = models.model(name), batch(name), batch(name, seed=1)
    none = to_mask(Circuit.empty(ResidualGraph.of(model.spec)), dtype=model.dtype)
    got = run(model, tokens, none, Resample().background(model, corrupted, valid), valid=valid)[0]
    assert_near(got[valid], trace(model, corrupted, valid=valid).outputs[valid])
    assert (got - trace(model, tokens, valid=valid).outputs)[valid].abs().max() > 0.01


@every_shape
def test_with_no_edge_kept_under_zero_ablation_only_attention_output_biases_are_left(name):
    model, (tokens, valid) = models.model(name), batch(name)
    none = to_mask(Circuit.empty(ResidualGraph.of(model.spec)), dtype=model.dtype)
    got = run(model, tokens, none, Zero().background(model, tokens, valid), valid=valid)[0]
    arrays, shape = models.arrays_of(model), models.shape_of(model.spec)
    x = naive.normed(shape, arrays["b_o"].sum(0), arrays, "norm", None)
    constant = x @ arrays["unembed"] + arrays.get("b_unembed", 0.0)
    assert_near(got, np.broadcast_to(constant, got.shape))


# ---------------------------------------------------------------- three faults that must not pass


@pytest.mark.parametrize("name", ["gpt2", "tracr", "multi_query"])
def test_query_key_and_value_each_have_an_edge_of_their_own(name):
    model, (tokens, _), (corrupted, _) = models.model(name), batch(name), batch(name, seed=1)
    graph, shape, arrays = ResidualGraph.of(model.spec), models.shape_of(model.spec), models.arrays_of(model)
    _, patch, _ = naive.plain(shape, arrays, corrupted[0].tolist())
    background = Resample().background(model, corrupted[:1], tokens[:1] >= 0)
    results = []
    for port in "qkv":
        cut = Circuit.full(graph).without(graph.edge(f"tok -> a1.h0.{port}"))
        got = run(model, tokens[:1], to_mask(cut, dtype=model.dtype), background)[0, 0]
        keep = dict.fromkeys(naive.edges(shape), 1.0) | {("tok", f"a1.h0.{port}"): 0.0}
        assert_near(got, naive.run(shape, arrays, tokens[0].tolist(), keep, patch)[0])
        results.append(got)
    for i in range(3):
        assert (results[i] - results[i - 1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["gpt2", "tracr", "llama"])
def test_an_attention_pattern_is_recomputed_from_what_the_masked_streams_carry(name):
    model, (tokens, _), (corrupted, _) = models.model(name), batch(name), batch(name, seed=1)
    graph, shape, arrays = ResidualGraph.of(model.spec), models.shape_of(model.spec), models.arrays_of(model)
    ids = tokens[0].tolist()
    _, _, clean_pattern = naive.plain(shape, arrays, ids)
    _, patch, _ = naive.plain(shape, arrays, corrupted[0].tolist())
    cut = Circuit.of(graph, [e for e in graph.edges if e.reader.port not in ("q", "k")])
    got = run(
        model,
        tokens[:1],
        to_mask(cut, dtype=model.dtype),
        Resample().background(model, corrupted[:1], tokens[:1] >= 0),
    )
    keep = {(str(e.writer), str(e.reader)): 1.0 for e in cut}
    want, _, _ = naive.run(shape, arrays, ids, keep, patch)
    frozen, _, _ = naive.run(shape, arrays, ids, keep, patch, frozen_pattern=clean_pattern)
    assert_near(got[0, 0], want)
    assert np.abs(want - frozen).max() > 1e-3


@pytest.mark.parametrize("name", ["gpt2", "tracr", "llama"])
def test_a_kept_edge_carries_the_clean_run_and_a_cut_one_the_corrupted(name):
    model, (tokens, _), (corrupted, _) = models.model(name), batch(name), batch(name, seed=1)
    graph, shape, arrays = ResidualGraph.of(model.spec), models.shape_of(model.spec), models.arrays_of(model)
    clean_ids, other_ids = tokens[0].tolist(), corrupted[0].tolist()
    only = Circuit.of(graph, ["tok -> out"])
    got = run(
        model,
        tokens[:1],
        to_mask(only, dtype=model.dtype),
        Resample().background(model, corrupted[:1], tokens[:1] >= 0),
    )
    clean, other = (naive.plain(shape, arrays, ids)[1] for ids in (clean_ids, other_ids))
    right, _, _ = naive.run(shape, arrays, clean_ids, {("tok", "out"): 1.0}, other)
    swapped, _, _ = naive.run(shape, arrays, other_ids, {("tok", "out"): 1.0}, clean)
    assert_near(got[0, 0], right)
    assert np.abs(right - swapped).max() > 1e-3


# ---------------------------------------------------------------- what must change nothing


def _setting(name):
    model, (tokens, valid), (corrupted, _) = models.model(name), batch(name), batch(name, seed=1)
    masks = masks_of(ResidualGraph.of(model.spec), np.random.default_rng(3))
    return model, tokens, valid, masks, Resample().background(model, corrupted, valid)


@every_shape
def test_many_circuits_at_once_are_each_circuit_alone(name):
    model, tokens, valid, masks, background = _setting(name)
    together = run(model, tokens, masks, background, valid=valid)
    for circuit, mask in enumerate(masks):
        assert_near(together[circuit], run(model, tokens, mask[None], background, valid=valid)[0])


@every_shape
def test_the_order_of_the_batch_changes_nothing(name):
    model, tokens, valid, masks, background = _setting(name)
    order = torch.tensor([2, 0, 1])
    shuffled = run(model, tokens[order], masks, background[:, order], valid=valid[order])
    assert_near(shuffled, run(model, tokens, masks, background, valid=valid)[:, order])


@every_shape
def test_a_padded_input_gives_what_it_gives_alone(name):
    model, tokens, valid, masks, background = _setting(name)
    padded = run(model, tokens, masks, background, valid=valid)
    for row, n in enumerate(LENGTHS):
        alone = run(model, tokens[row : row + 1, :n], masks, background[:, row : row + 1, :n])
        assert_near(padded[:, row, :n], alone[:, 0])


def test_half_precision_turns_late_positions_by_angles_of_their_own():
    spec = replace(models.SPECS["llama"], n_ctx=600)
    x = torch.ones(600, spec.d_head, dtype=torch.float64)
    want, got = rotate(spec, x), rotate(spec, x.bfloat16()).double()
    assert float((got - want).abs().max()) < 0.03  # bfloat16 has 8 bits
    assert not torch.equal(got[512], got[513])


def test_rows_are_a_slice_only_where_they_are_consecutive_and_in_order():
    assert _span([2, 3, 4]) == slice(2, 5)
    assert _span([3, 2, 4]) == [3, 2, 4]
    assert _span([0, 2, 1, 3]) == [0, 2, 1, 3]
    assert _span([4, 4, 6]) == [4, 4, 6]
    assert _span([]) == []


@every_shape
def test_computing_a_gradient_changes_no_output(name):
    model, tokens, valid, masks, background = _setting(name)
    assert_near(
        run(model, tokens, masks.clone().requires_grad_(), background, valid=valid).detach(),
        run(model, tokens, masks, background, valid=valid),
    )


@every_shape
def test_a_causal_model_ignores_later_positions_and_another_does_not(name):
    model, tokens, _, masks, _ = _setting(name)
    changed = tokens.clone()
    changed[:, -1] = (changed[:, -1] + 1) % model.spec.d_vocab
    off = (run(model, changed, masks) - run(model, tokens, masks))[:, :, :-1].abs().max()
    assert off == 0 if model.spec.causal else off > 1e-6


@every_shape
def test_mask_entries_without_an_edge_are_read_by_nobody(name):
    model, tokens, valid, masks, background = _setting(name)
    wild = masks.clone()
    graph = ResidualGraph.of(model.spec)
    for reader, reach in zip(graph.readers, graph.reach, strict=True):
        wild[:, reader.index, reach:] = 7.0
    assert torch.equal(
        run(model, tokens, wild, background, valid=valid), run(model, tokens, masks, background, valid=valid)
    )


def test_permuting_the_heads_of_every_layer_permutes_the_circuit_and_nothing_else():
    name, turn = "gpt2", [2, 0, 1]
    model, tokens, valid, _, _ = _setting(name)
    graph, rng = ResidualGraph.of(model.spec), random.Random(5)
    per_head = ("w_q", "b_q", "w_k", "b_k", "w_v", "b_v", "w_o")
    tensors = {k: t[:, turn] if k in per_head else t for k, t in model.weights.tensors().items()}
    turned = type(model)(model.spec, type(model.weights)(**tensors))
    kept = [str(e) for e in graph.edges if rng.random() < 0.5]
    for layer in range(2):  # the head that was number turn[i] is now number i
        for i, old in enumerate(turn):
            kept = [text.replace(f"a{layer}.h{old}", f"A{layer}.H{i}") for text in kept]
    names = [text.replace("A", "a").replace("H", "h") for text in kept]
    rng = random.Random(5)
    before = Circuit.of(graph, [e for e in graph.edges if rng.random() < 0.5])
    after = Circuit.of(graph, names)
    assert before != after
    got = [
        run(m, tokens, to_mask(c, dtype=m.dtype), valid=valid) for m, c in ((model, before), (turned, after))
    ]
    assert_near(got[1], got[0])


@every_shape
@pytest.mark.parametrize("graded", [False, True])
def test_outputs_at_some_places_are_those_of_all_at_these_places(name, graded):
    model, tokens, valid, masks, background = _setting(name)
    places = torch.tensor([[3, 0], [1, 0], [2, 1]])
    masks = masks.clone().requires_grad_(graded)
    whole = run(model, tokens, masks, background, valid=valid)
    some = run(model, tokens, masks, background, valid=valid, places=places)
    rows = torch.arange(len(tokens))[:, None]
    assert_near(some.detach(), whole[:, rows, places].detach())
    plain = outputs(model, tokens, valid=valid)
    assert_near(outputs(model, tokens, valid=valid, places=places), plain[rows, places])
    assert_near(plain[valid], trace(model, tokens, valid=valid).outputs[valid])
    if graded:
        weigh = torch.tensor(np.random.default_rng(7).normal(size=some.shape))
        (want,) = torch.autograd.grad((whole[:, rows, places] * weigh).sum(), masks)
        (got,) = torch.autograd.grad((some * weigh).sum(), masks)
        assert_near(got, want)
