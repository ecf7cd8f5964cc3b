"""The one masked forward, used by training, evaluation and certification alike.

Every reader r sees

    x_r  =  sum_w background_w  +  biases  +  sum_{w before r} mask[r, w] * (out_w - background_w)

where `out_w` is what writer w writes *in this run* and `background_w` is what a cut edge carries instead
(the ablation). So a kept edge carries the recomputed value and a cut one the background; nothing is frozen.
Attention output biases belong to no head and are always there. Normalisation acts on x_r, after the sum, for
each reader by itself. A batch of circuits is run at once along the leading `circuit` axis.

Three options save work or memory and change no result:

    edges       What carries nothing is not computed: writers that no kept path joins to `out`. On long rows (`stream.py`),
                neither are sums over writers that no reader of a layer reads, and readers with no kept edge share one
                projection of the ablated stream.
    first_layer  Methods that go from `out` back to the embeddings (ACDC) cut edges of a layer while everything before it
                 is kept. Earlier layers then write what they write in the unpruned model, and are not run: a whole
                 sweep then costs less than half as much.
    recompute    Each layer is a checkpoint (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", arXiv
                 1604.06174): its activations are dropped, and computed again in the backward pass. Only what writers
                 wrote is kept, once: a layer reads a prefix of that buffer, and computing it again writes the same rows
                 again. The second forward pass costs about a third of a training step.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
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
    edges: Bool[Tensor, "reader writer"] | None = None,
    first_layer: int = 0,
    written: Float[Tensor, "writer batch pos d_model"] | None = None,
    recompute: bool = False,
) -> Float[Tensor, "circuit batch place d_out"]:
    """Outputs of every circuit on every input.

    background:  None stands for zeros (zero ablation).
    valid:       marks real tokens where inputs of several lengths share a batch.
    places:      the positions whose outputs are wanted, distinct in a row; None: every position.
    edges:       those that count (`open_edges`); the caller guarantees that the others change no output. Their gradient is 0.
    first_layer: the first layer to run, n_layers for the unembedding only; the caller guarantees that the masks keep
                 every edge into earlier layers. Needs `written`.
    written:     what every writer writes in the unpruned model on these tokens.
    recompute:   drop activations, and compute them again in the backward pass.

    The mask's dtype may differ from the model's; its gradient has the mask's dtype.
    """
    stream = Stream(model, mask, background, tokens.shape, edges)
    if written is None:
        assert first_layer == 0, "a run from a later layer needs what was written before it"
        _embed(model, tokens, stream)
    else:
        n = _writers_before(model, first_layer)
        stream.write(written[None, :n].expand(len(mask), -1, -1, -1, -1), range(n))
        for bias in model.weights.b_o[:first_layer]:
            stream.add_bias(bias)
    return _forward(model, stream, valid, places, first_layer, recompute and stream.tape is not None)


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
    _embed(model, tokens, stream)
    outputs = _forward(model, stream, valid, places)[0]
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
    _embed(model, tokens, stream)
    return _forward(model, stream, valid, places)[0]


def open_edges(
    mask: Float[Tensor, "circuit reader writer"], graph: ResidualGraph, *, fed: bool = False
) -> Bool[Tensor, "reader writer"]:
    """Edges of which some circuit keeps something, on a kept path to `out`; on the CPU.

    fed: also on a kept path from `tok`. Where a cut edge carries what its writer writes on a corrupted input, all other
    writers write that too, so that nothing changes whether their edges are kept. So do positions, which no input changes.
    """
    # In NumPy: the operations are tiny, and torch would take several times as long.
    kept = (mask != 0).any(0).cpu().numpy()
    if fed:
        changed = np.zeros(len(graph.writers), bool)
        changed[0] = True
        for writer in graph.writers[1:]:
            changed[writer.index] = any((kept[r.index] & changed).any() for r in graph.readers_of(writer))
        kept &= changed
    live, reads = kept[-1].copy(), np.zeros((len(kept), 1), bool)
    reads[-1] = True
    for writer in reversed(graph.writers):
        if live[writer.index]:
            for reader in graph.readers_of(writer):
                reads[reader.index] = True
                live |= kept[reader.index]
    return torch.from_numpy(kept & reads)


def _embed(model: Model, tokens: Tensor, stream: Stream | Plain) -> None:
    weights = model.weights
    embedded = [weights.tok[tokens]]
    if weights.pos is not None:
        embedded.append(weights.pos[: tokens.shape[1]].expand_as(embedded[0]))
    stream.write(torch.stack(embedded)[None], range(len(embedded)))


def _forward(
    model: Model,
    stream: Stream | Plain,
    valid: Tensor | None,
    places: Tensor | None,
    first_layer: int = 0,
    recompute: bool = False,
) -> Float[Tensor, "circuit batch place d_out"]:
    """From what was written before `first_layer` to the outputs."""
    graph = ResidualGraph.of(model.spec)
    for layer in range(first_layer, model.spec.n_layers):
        if recompute:
            assert isinstance(stream, Stream)
            stream = _recomputed_layer(model, layer, graph, stream, valid)
        else:
            _layer(model, layer, graph, stream, valid)
    batch, pos = stream.base.shape[:2]
    flat = None
    if places is not None:
        flat = (places + pos * torch.arange(batch, device=places.device)[:, None]).flatten()

    def last(here: Stream | Plain) -> Tensor:
        return unembed(model, here.read_last(len(graph.readers) - 1, flat).unflatten(1, (batch, -1)))

    return _checkpointed(stream, last) if recompute else last(stream)


def _writers_before(model: Model, layer: int) -> int:
    return ResidualGraph.of(model.spec).n_embeddings + layer * (model.spec.n_heads + 1)


def _layer(
    model: Model, layer: int, graph: ResidualGraph, stream: Stream | Plain, valid: Tensor | None
) -> None:
    """The readers of the heads and of the MLP share one read of the stream before the layer; the MLP then adds the heads' outputs."""
    spec = model.spec
    first, row = _writers_before(model, layer), layer * graph.readers_per_layer
    mlp, mlp_row = first + spec.n_heads, row + graph.readers_per_layer - 1
    alive = stream.alive[mlp]
    heads = [h for h in range(spec.n_heads) if stream.alive[first + h]]
    kv_of = [h // (spec.n_heads // spec.n_kv_heads) for h in heads]
    kv = sorted(set(kv_of))
    places = [kv.index(h) for h in kv_of]
    shared = len(heads) // max(1, len(kv))
    even = places == [place // shared for place in range(len(heads))]

    written, base, seen = stream.written, stream.base, None
    if heads:
        k_row, v_row = row + spec.n_heads, row + spec.n_heads + spec.n_kv_heads
        rows = [row + h for h in heads], [k_row + h for h in kv], [v_row + h for h in kv]
        ports, seen = stream.heads(layer, rows, (heads, kv, kv), mlp_row if alive else None)
        of = None if even else places
        out = attended(model, layer, *ports, heads=heads, kv_of=of, valid=valid, summed=stream.summed)
        stream.write(out, [first + h for h in heads])
    elif alive:
        seen = stream.read(mlp_row)
    stream.skip([first + h for h in range(spec.n_heads) if h not in heads])
    stream.add_bias(model.weights.b_o[layer])
    if seen is None:
        stream.skip([mlp])
        return
    if not graph.parallel_blocks:
        seen = stream.continue_read(mlp_row, seen, base, written)
    stream.write(mlp_output(model, layer, seen), [mlp])


def _recomputed_layer(
    model: Model, layer: int, graph: ResidualGraph, stream: Stream, valid: Tensor | None
) -> Stream:
    """The stream after this layer."""
    after: list[Stream] = []

    def written(here: Stream) -> Tensor:
        _layer(model, layer, graph, here, valid)
        if not after:
            after.append(here)
        assert here.tape is not None
        return here.tape

    tape = _checkpointed(stream, written)
    after[0].tape, after[0].mask = tape, stream.mask
    return after[0]


def _checkpointed(stream: Stream | Plain, work: Callable[[Stream], Tensor]) -> Tensor:
    """`work` on a copy of the stream: now without a graph, and again in the backward pass."""
    assert isinstance(stream, Stream)

    def on_copy(tape: Tensor, mask: Tensor) -> Tensor:
        here = copy.copy(stream)
        here.tape, here.mask = tape, mask
        return work(here)

    found: Tensor = _Recomputed.apply(on_copy, stream.tape, stream.mask)
    return found


class _Recomputed(torch.autograd.Function):
    """The reentrant kind of checkpoint. torch has one, but that of torch 2.4 fails on the meta device.

    The gradients of what writers wrote pass through the buffer's twin, which autograd does not see, and only this kind
    finishes a layer's backward pass before it starts that of the previous layer.
    """

    @staticmethod
    def forward(ctx: Any, work: Callable[[Tensor, Tensor], Tensor], tape: Tensor, mask: Tensor) -> Tensor:
        ctx.work = work
        ctx.save_for_backward(tape, mask)
        return work(tape, mask)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs = [one.detach().requires_grad_(one.requires_grad) for one in ctx.saved_tensors]
        with torch.enable_grad():
            again = ctx.work(*inputs)
        torch.autograd.backward(again, grad)
        return None, *(one.grad for one in inputs)
