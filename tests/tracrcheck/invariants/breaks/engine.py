"""Breaks of the model, the graph and the masked forward: what a circuit computes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core import mask, task, weights
from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import forward, stream
from edgeprune_core.engine.blocks import attention, mlp
from edgeprune_core.families import base as families
from edgeprune_core.graph import ResidualGraph
from tracrcheck.invariants import discretisation


def future_edges(patch) -> None:
    before = ResidualGraph._before
    patch.setattr(
        ResidualGraph, "of", classmethod(ResidualGraph.of.__func__.__wrapped__)
    )  # without its cache
    patch.setattr(
        ResidualGraph, "_before", lambda graph, reader: before(graph, reader) + (reader.port == "q")
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


def looks_ahead(patch) -> None:
    pattern = attention.pattern
    patch.setattr(attention, "pattern", lambda spec, *rest: pattern(replace(spec, causal=False), *rest))


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


def gradient_stops(patch) -> None:
    write = stream.Stream.write
    patch.setattr(stream.Stream, "write", lambda stream, out, writers: write(stream, out.detach(), writers))


def gain_forgotten(patch) -> None:
    """The folded model loses the gain of the first norm of each layer."""
    tensors = weights.Weights.tensors

    def ungained(own):
        found = tensors(own)
        return (
            found | {"norm1_gain": torch.ones_like(found["norm1_gain"])} if "norm1_gain" in found else found
        )

    patch.setattr(weights.Weights, "tensors", ungained)


def gelu_of_another_kind(patch) -> None:
    patch.setitem(families._ACTIVATIONS, "gelu_new", "gelu")


def half_kept_is_alive(patch) -> None:
    before = task.open_edges
    patch.setattr(task, "open_edges", lambda mask, graph, **how: before(mask > 0.5, graph, **how))


def no_slope_at_kinks(patch) -> None:
    activate = mlp.activate
    patch.setattr(
        mlp, "activate", lambda spec, x: torch.relu(x) if spec.activation == "relu" else activate(spec, x)
    )
