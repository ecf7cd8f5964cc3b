"""The one masked forward, used by training, evaluation and certification alike.

Every reader r sees

    x_r  =  sum_w background_w  +  biases  +  sum_{w before r} mask[r, w] * (out_w - background_w)

where `out_w` is what writer w writes *in this run* and `background_w` is what a cut edge carries instead
(the ablation). So a kept edge carries the recomputed value and a cut one the background; nothing is frozen.
Attention output biases belong to no head and are always there. Normalisation acts on x_r, after the sum, for
each reader by itself. A batch of circuits is run at once along the leading `circuit` axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from edgeprune_core.blocks.attention import attended, projected
from edgeprune_core.blocks.mlp import mlp_output
from edgeprune_core.blocks.unembed import unembed
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.stream import Stream
from edgeprune_core.weights import Model


@dataclass(frozen=True)
class Trace:
    """One unmasked run: what every writer wrote, and the outputs."""

    writers: Float[Tensor, "writer batch pos d_model"]
    outputs: Float[Tensor, "batch pos d_out"]


def run(
    model: Model,
    tokens: Int[Tensor, "batch pos"],
    mask: Float[Tensor, "circuit reader writer"],
    background: Float[Tensor, "writer batch pos d_model"] | None = None,
    *,
    valid: Bool[Tensor, "batch pos"] | None = None,
    live: Bool[Tensor, " writer"] | None = None,
) -> Float[Tensor, "circuit batch pos d_out"]:
    """Outputs of every circuit on every input.

    background: None stands for zeros (zero ablation).
    valid:      marks real tokens where inputs of several lengths share a batch.
    live:       writers that need computing; the caller vouches that no kept path joins the others to `out`.
    """
    return _forward(model, tokens, mask, background, valid, live)[0]


@torch.no_grad()
def trace(
    model: Model, tokens: Int[Tensor, "batch pos"], *, valid: Bool[Tensor, "batch pos"] | None = None
) -> Trace:
    """The unpruned model's run: the clean reference, or the corrupted run that a resample ablation reads."""
    graph = ResidualGraph.of(model.spec)
    everything = torch.ones(1, len(graph.readers), len(graph.writers), dtype=model.dtype, device=model.device)
    outputs, stream = _forward(model, tokens, everything, None, valid, None)
    writers = stream.deltas.values[0].view(len(graph.writers), *tokens.shape, model.spec.d_model)
    return Trace(writers, outputs[0])


def live_writers(
    mask: Float[Tensor, "circuit reader writer"], graph: ResidualGraph
) -> Bool[Tensor, " writer"]:
    """Writers that some kept path of some circuit joins to `out`."""
    kept = (mask != 0).any(0).cpu()
    live = kept[-1].clone()
    for writer in reversed(graph.writers):
        if live[writer.index]:
            for reader in graph.readers_of(writer):
                live |= kept[reader.index]
    return live


def _forward(model, tokens, mask, background, valid, live) -> tuple[Tensor, Stream]:
    spec, weights = model.spec, model.weights
    graph = ResidualGraph.of(spec)
    alive = [True] * len(graph.writers) if live is None else live.tolist()
    stream = Stream(model, mask, background, tokens.shape, alive)

    embedded = [weights.tok[tokens]]
    if graph.has_pos:
        embedded.append(weights.pos[: tokens.shape[1]].expand_as(embedded[0]))
    stream.write(torch.stack(embedded)[None], range(graph.n_embeddings))

    for layer in range(spec.n_layers):
        _layer(model, layer, graph, stream, valid)
    out = stream.read([len(graph.readers) - 1], stream.base)
    return unembed(model, out[:, 0]), stream


def _layer(
    model: Model, layer: int, graph: ResidualGraph, stream: Stream, valid: Tensor | None
) -> None:
    """The heads' readers and the MLP's share one product with what was written before the layer; the MLP's then adds
    what the layer's heads wrote."""
    spec = model.spec
    first, row = graph.n_embeddings + layer * (spec.n_heads + 1), layer * graph.readers_per_layer
    mlp, mlp_row = first + spec.n_heads, row + graph.readers_per_layer - 1
    heads = [h for h in range(spec.n_heads) if stream.alive[first + h]]
    kv = heads
    if heads and spec.n_kv_heads != spec.n_heads:
        heads, kv = list(range(spec.n_heads)), list(range(spec.n_kv_heads))
    before, base = stream.written, stream.base
    seen = None
    if heads:
        k_row, v_row = row + spec.n_heads, row + spec.n_heads + spec.n_kv_heads
        rows = [row + h for h in heads] + [k_row + h for h in kv] + [v_row + h for h in kv]
        sizes = [len(heads), len(kv), len(kv)]
        if stream.alive[mlp]:
            *ports, seen = stream.read([*rows, mlp_row], base).split([*sizes, 1], 1)
        else:
            ports = stream.read(rows, base).split(sizes, 1)
        q, k, v = projected(model, layer, ports, heads=heads, kv_heads=kv)
        stream.write(attended(model, layer, q, k, v, heads=heads, valid=valid), [first + h for h in heads])
    elif stream.alive[mlp]:
        seen = stream.read([mlp_row], base)
    stream.skip([first + h for h in range(spec.n_heads) if h not in heads])
    stream.base = stream.base + model.weights.b_o[layer]
    if seen is None:
        stream.skip([mlp])
        return
    if not graph.parallel_blocks:
        seen = seen + (stream.base - base)
        if stream.written > before:
            seen = stream.read([mlp_row], seen[:, 0], before)
    stream.write(mlp_output(model, layer, seen), [mlp])
