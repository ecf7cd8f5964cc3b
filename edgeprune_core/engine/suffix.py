"""Masked runs of circuits that keep everything into the first layers: those layers write what the model itself writes.

Methods that go from `out` back to the embeddings (ACDC) cut edges of a layer while all before it is whole. What was
written there is known from the model's own run, so that only the layers from there on are run: the same outputs as of
`engine.run`, up to rounding, for less than half of the work over a whole sweep.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from edgeprune_core.engine.blocks.unembed import unembed
from edgeprune_core.engine.forward import _layer
from edgeprune_core.engine.stream import Stream
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.weights import Model


@torch.no_grad()
def run_from(
    model: Model,
    layer: int,
    written: Float[Tensor, "writer batch pos d_model"],
    mask: Float[Tensor, "circuit reader writer"],
    background: Float[Tensor, "writer batch pos d_model"] | None = None,
    *,
    valid: Bool[Tensor, "batch pos"] | None = None,
    places: Int[Tensor, "batch place"] | None = None,
    live: Bool[Tensor, " writer"] | None = None,
) -> Float[Tensor, "circuit batch place d_out"]:
    """As `engine.run`, of masks that keep every edge into the layers before `layer`.

    written: what every writer writes in the model's own run on these tokens. layer: n_layers runs the unembedding only.
    """
    graph = ResidualGraph.of(model.spec)
    _, batch, pos, _ = written.shape
    n = graph.n_embeddings + layer * (model.spec.n_heads + 1)
    alive = [True] * mask.shape[-1] if live is None else live.tolist()
    stream = Stream(model, mask, background, (batch, pos), alive)
    stream.write(written[None, :n].expand(len(mask), -1, -1, -1, -1), range(n))
    for bias in model.weights.b_o[:layer]:
        stream.shift(bias)
    for one in range(layer, model.spec.n_layers):
        _layer(model, one, graph, stream, valid)
    flat = None
    if places is not None:
        flat = (places + pos * torch.arange(batch, device=places.device)[:, None]).flatten()
    return unembed(model, stream.read_last(len(graph.readers) - 1, flat).unflatten(1, (batch, -1)))
