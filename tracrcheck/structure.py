"""`permitted`: the edges that can carry anything, read off the weights. A sound upper bound.

A cut edge changes the reader's input by a vector d in the writer's output space. What a reader does with d is
linear before anything else happens to it:

    q:    scores change by  d W_q (x W_k + b_k)^T        nothing, where  d W_q [W_k^T, b_k^T] = 0
    k:    scores change by  (x W_q + b_q) (d W_k)^T      nothing, where  d W_k [W_q^T, b_q^T] = 0
    v:    the output changes by  a d W_v W_o             nothing, where  d W_v W_o = 0
    mlp:  pre-activations change by  d W_in              nothing, where  d W_in = 0 on units that write
    out:  outputs change by  d U                         nothing, where  d U = 0

So an edge is dropped only where a product of weights is zero, and a reader only where its node has no path to
`out` through edges that are left. Normalisation mixes all directions: with a norm every edge is permitted.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Reader, ResidualGraph, Writer
from edgeprune_core.weights import Model


def permitted(model: Model, tokens: Int[Tensor, "input pos"], *, noise: float = 0.0) -> Circuit:
    """Edges along which something can flow to `out` on these inputs.

    noise: products at most this large count as zero; 0 for compiled weights, whose zeros are exact.
    """
    graph = ResidualGraph.of(model.spec)
    if model.spec.norm != "none":
        return Circuit.full(graph)
    writes = [_writes(model, writer, tokens) for writer in graph.writers]
    reads = [_reads(model, reader) for reader in graph.readers]
    edges = [
        edge for edge in graph.edges if _largest(writes[edge.writer.index] @ reads[edge.reader.index]) > noise
    ]
    return Circuit.of(graph, edges).connected()


def _largest(product: Tensor) -> float:
    return float(product.abs().max()) if product.numel() else 0.0


def _writes(model: Model, writer: Writer, tokens: Tensor) -> Float[Tensor, "row d_model"]:
    """Rows that span what a writer can add to the stream on these inputs."""
    w = model.weights
    match writer.kind:
        case "tok":
            return w.tok[tokens.unique()]
        case "pos":
            assert w.pos is not None
            return w.pos[: tokens.shape[1]]
        case "head":
            layer, head = writer.layer, writer.head
            kv = head // (model.spec.n_heads // model.spec.n_kv_heads)
            return torch.cat([w.w_v[layer, kv], w.b_v[layer, kv][None]]) @ w.w_o[layer, head]
        case _:
            return torch.cat([w.w_out[writer.layer], w.b_out[writer.layer][None]])


def _reads(model: Model, reader: Reader) -> Float[Tensor, "d_model column"]:
    """A matrix that is zero on exactly the directions the reader does nothing with."""
    w, layer, group = model.weights, reader.layer, model.spec.n_heads // model.spec.n_kv_heads
    if reader.kind == "out":
        return w.unembed
    if reader.kind == "mlp":
        used = (w.w_out[layer] != 0).any(1)
        parts = [w.w_in[layer][:, used]]
        if w.w_gate is not None:
            parts.append(w.w_gate[layer][:, used])
        return torch.cat(parts, 1)
    if reader.port == "q":
        kv = reader.head // group
        other = torch.cat([w.w_k[layer, kv], w.b_k[layer, kv][None]])
        return w.w_q[layer, reader.head] @ other.T
    heads = range(reader.head * group, (reader.head + 1) * group)
    if reader.port == "k":
        others = [torch.cat([w.w_q[layer, h], w.b_q[layer, h][None]]) for h in heads]
        return w.w_k[layer, reader.head] @ torch.cat(others).T
    return w.w_v[layer, reader.head] @ torch.cat([w.w_o[layer, h] for h in heads], 1)
