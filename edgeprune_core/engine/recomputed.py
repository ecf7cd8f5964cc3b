"""A masked run that keeps no layer's activations: going back, each layer is computed again before its gradient.

The engine's own layers and stream, one after the other in checkpoints (Chen et al. 2016, "Training Deep Nets with
Sublinear Memory Cost", arXiv 1604.06174). What stays from forward to backward is what writers wrote, once: a layer
reads a prefix of that buffer, and computing it again writes the same rows of it once more. A second pass forward is the
price, about a third of the step.

`engine.run` and this give the same outputs and gradients; a test holds them to that.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from edgeprune_core.engine import forward
from edgeprune_core.engine.blocks.unembed import unembed
from edgeprune_core.engine.stream import Stream
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.weights import Model


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
    """As `engine.run`, which it is where no gradient is wanted."""
    alive = [True] * mask.shape[-1] if live is None else live.tolist()
    stream = Stream(model, mask, background, tokens.shape, alive)
    if stream.tape is None:
        return forward.run(model, tokens, mask, background, valid=valid, places=places, live=live)
    graph, weights = ResidualGraph.of(model.spec), model.weights
    batch, pos = tokens.shape
    embedded = [weights.tok[tokens]]
    if weights.pos is not None:
        embedded.append(weights.pos[:pos].expand_as(embedded[0]))
    stream.write(torch.stack(embedded)[None], range(graph.n_embeddings))
    for layer in range(model.spec.n_layers):
        stream = _layer(model, layer, graph, stream, valid)
    flat = None
    if places is not None:
        flat = (places + pos * torch.arange(batch, device=places.device)[:, None]).flatten()

    def last(here: Stream) -> Tensor:
        return unembed(model, here.read_last(len(graph.readers) - 1, flat).unflatten(1, (batch, -1)))

    return _again(stream, last)


def _layer(model: Model, layer: int, graph: ResidualGraph, stream: Stream, valid: Tensor | None) -> Stream:
    """The stream after this layer."""
    after: list[Stream] = []

    def written(here: Stream) -> Tensor:
        forward._layer(model, layer, graph, here, valid)
        if not after:
            after.append(here)
        assert here.tape is not None
        return here.tape

    tape = _again(stream, written)
    after[0].tape, after[0].mask = tape, stream.mask
    return after[0]


def _again(stream: Stream, work: Callable[[Stream], Tensor]) -> Tensor:
    """`work` on a copy of the stream, now without a graph and once more when going back.

    The reentrant kind of checkpoint: the gradients of what writers wrote pass through the buffer's twin, where autograd
    sees none of it, and this kind goes back through one layer whole before the one before it.
    """

    def on_copy(tape: Tensor, mask: Tensor) -> Tensor:
        here = copy.copy(stream)
        here.tape, here.mask = tape, mask
        return work(here)

    return checkpoint(on_copy, stream.tape, stream.mask, use_reentrant=True, preserve_rng_state=False)
