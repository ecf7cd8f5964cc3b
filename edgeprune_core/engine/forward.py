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

from edgeprune_core.engine.blocks.attention import attended
from edgeprune_core.engine.blocks.mlp import mlp_output
from edgeprune_core.engine.blocks.unembed import unembed
from edgeprune_core.engine.stream import Plain, Stream
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.weights import Model


@dataclass(frozen=True)
class Trace:
    """One unmasked run: what every writer wrote, and the outputs."""

    writers: Float[Tensor, "writer batch pos d_model"]
    outputs: Float[Tensor, "batch place d_out"]


def run(
    model: Model,
    tokens: Int[Tensor, "batch pos"],
    mask: Float[Tensor, "circuit reader writer"],
    background: Float[Tensor, "writer batch pos d_model"] | None = None,
    *,
    valid: Bool[Tensor, "batch pos"] | None = None,
    places: Int[Tensor, "batch place"] | None = None,
    live: Bool[Tensor, " writer"] | None = None,
) -> Float[Tensor, "circuit batch place d_out"]:
    """Outputs of every circuit on every input.

    background: None stands for zeros (zero ablation).
    valid:      marks real tokens where inputs of several lengths share a batch.
    places:     the positions whose outputs are wanted, distinct in a row; None: every position.
    live:       writers that need computing; the caller vouches that no kept path joins the others to `out`.

    The mask may be of another dtype than the model: its gradient is of its own.
    """
    alive = [True] * mask.shape[-1] if live is None else live.tolist()
    stream = Stream(model, mask, background, tokens.shape, alive)
    return _forward(model, tokens, stream, valid, places)


@torch.no_grad()
def trace(
    model: Model,
    tokens: Int[Tensor, "batch pos"],
    *,
    valid: Bool[Tensor, "batch pos"] | None = None,
    places: Int[Tensor, "batch place"] | None = None,
) -> Trace:
    """The unpruned model's run: the clean reference, or the corrupted run that a resample ablation reads."""
    stream = Plain(model, tokens.shape, len(ResidualGraph.of(model.spec).writers), keep=True)
    outputs = _forward(model, tokens, stream, valid, places)[0]
    assert stream.writers is not None
    return Trace(stream.writers, outputs)


@torch.no_grad()
def outputs(
    model: Model,
    tokens: Int[Tensor, "batch pos"],
    *,
    valid: Bool[Tensor, "batch pos"] | None = None,
    places: Int[Tensor, "batch place"] | None = None,
) -> Float[Tensor, "batch place d_out"]:
    """The unpruned model's outputs, without what its writers wrote."""
    stream = Plain(model, tokens.shape, len(ResidualGraph.of(model.spec).writers), keep=False)
    return _forward(model, tokens, stream, valid, places)[0]


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


def _forward(
    model: Model, tokens: Tensor, stream: Stream | Plain, valid: Tensor | None, places: Tensor | None
) -> Float[Tensor, "circuit batch place d_out"]:
    graph, weights = ResidualGraph.of(model.spec), model.weights
    batch, pos = tokens.shape
    embedded = [weights.tok[tokens]]
    if weights.pos is not None:
        embedded.append(weights.pos[:pos].expand_as(embedded[0]))
    stream.write(torch.stack(embedded)[None], range(graph.n_embeddings))
    for layer in range(model.spec.n_layers):
        _layer(model, layer, graph, stream, valid)
    flat = None
    if places is not None:
        flat = (places + pos * torch.arange(batch, device=places.device)[:, None]).flatten()
    seen = stream.read_last(len(graph.readers) - 1, flat)
    return unembed(model, seen.unflatten(1, (batch, -1)))


def _layer(
    model: Model, layer: int, graph: ResidualGraph, stream: Stream | Plain, valid: Tensor | None
) -> None:
    """The heads' readers and the MLP's share one read of what was written before; the MLP's goes on from there."""
    spec = model.spec
    first, row = graph.n_embeddings + layer * (spec.n_heads + 1), layer * graph.readers_per_layer
    mlp, mlp_row = first + spec.n_heads, row + graph.readers_per_layer - 1
    alive = stream.alive[mlp]
    heads = [h for h in range(spec.n_heads) if stream.alive[first + h]]
    kv = heads
    if heads and spec.n_kv_heads != spec.n_heads:
        heads, kv = list(range(spec.n_heads)), list(range(spec.n_kv_heads))

    written, base, seen = stream.written, stream.base, None
    if heads:
        k_row, v_row = row + spec.n_heads, row + spec.n_heads + spec.n_kv_heads
        rows = [row + h for h in heads] + [k_row + h for h in kv] + [v_row + h for h in kv]
        ports, seen = stream.heads(layer, [*rows, mlp_row] if alive else rows, heads, kv, beside=alive)
        out = attended(model, layer, *ports, heads=heads, valid=valid, summed=stream.summed)
        stream.write(out, [first + h for h in heads])
    elif alive:
        seen = stream.read(mlp_row)
    stream.skip([first + h for h in range(spec.n_heads) if h not in heads])
    stream.shift(model.weights.b_o[layer])
    if seen is None:
        stream.skip([mlp])
        return
    if not graph.parallel_blocks:
        seen = stream.read_on(mlp_row, seen, base, written)
    stream.write(mlp_output(model, layer, seen), [mlp])
