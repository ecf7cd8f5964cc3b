"""`permitted`: the edges that can carry anything, derived from the weights. A sound upper bound.

A cut edge changes the reader's input by a vector d in the writer's output space (`Ablation.within_span`). What a reader does with d is
linear before anything else happens to it:

    q:    scores change by  d W_q (x W_k + b_k)^T        nothing, where  d W_q [W_k^T, b_k^T] = 0
    k:    scores change by  (x W_q + b_q) (d W_k)^T      nothing, where  d W_k [W_q^T, b_q^T] = 0
    v:    the output changes by  a d W_v W_o             nothing, where  d W_v W_o = 0
    mlp:  pre-activations change by  d W_in              nothing, where  d W_in = 0 on units that write
    out:  outputs change by  d U                         nothing, where  d U = 0

So an edge is dropped only where a product of weights is zero, and a reader only where its node has no path to
`out` through edges that are left. Normalisation mixes all directions: with a norm every edge is permitted.

What zero means. In compiled weights it is exact. Where the stream was turned by an orthogonal matrix, what would
be zero is rounding. Each product here is a chain of at most four matrices, (V O) (Q K) for a head's output and a
query, and the chain's inner lengths are d_model and d_head (or d_mlp). Turned weights are wrong by at most
d^(3/2) u of their norms, since the turning matrix is orthogonal to d^(3/2) u (Higham 2002, theorem 19.4) and so is
a product with it (ibid., section 3.5), u = eps/2 being the rounding unit; a product of length n adds n u. An entry
of the chain is then wrong by at most

    noise * |row of V| |O| |Q| |row of K|,      noise = 4 eps (d^(3/2) + d_head + d_mlp),

norms being Frobenius'; the 4 is for both ends of the stream, both turned, and the constants of the theorem. An
entry below that counts as zero. It is relative: no scale of the weights matters. Along an edge that carries anything
the largest entry is 0.05 and more in the shipped programs, and 1e-6 and more in planted models; noise is 1e-12.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge, Reader, ResidualGraph, Writer
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model


def permitted(model: Model, tokens: Int[Tensor, "input pos"], *, noise: float | None = None) -> Circuit:
    """Edges along which something can flow to `out` on these inputs.

    noise: products of at most this share of their factors' norms count as zero; None for the rounding bound.
    """
    graph = ResidualGraph.of(model.spec)
    if model.spec.norm != "none":
        return Circuit.full(graph)
    noise = rounding(model.spec, model.dtype) if noise is None else noise
    rows = _all_writes(model, graph, tokens)
    edges = []
    for reader, reach in zip(graph.readers, graph.reach, strict=True):
        largest = _largest_products(rows, _reads(model, reader), reach)
        edges += [Edge(graph.writers[w], reader) for w in (largest > noise).nonzero()[:, 0].tolist()]
    return Circuit.of(graph, edges).connected()


def rounding(spec: ModelSpec, dtype: torch.dtype = torch.float64) -> float:
    """The value of `noise` derived above."""
    return 4 * torch.finfo(dtype).eps * (spec.d_model**1.5 + spec.d_head + spec.d_mlp)


@dataclass(frozen=True)
class _Rows:
    """Rows that span what writers can add to the stream, writers in order, each divided by its factors' norms."""

    rows: Float[Tensor, "row d_model"]
    writer: Int[Tensor, " row"]


def _all_writes(model: Model, graph: ResidualGraph, tokens: Tensor) -> _Rows:
    parts = [_writes(model, writer, tokens) for writer in graph.writers]
    counts = torch.tensor([len(part) for part in parts])
    return _Rows(torch.cat(parts), torch.arange(len(parts)).repeat_interleave(counts))


def _largest_products(rows: _Rows, factors: tuple[Tensor, ...], reach: int) -> Float[Tensor, " writer"]:
    """For each writer that the reader may read, its largest product, relative to the factors' norms."""
    n = int((rows.writer < reach).sum())
    product = rows.rows[:n]
    for factor in factors:
        product = product @ factor
    largest = torch.zeros(reach, dtype=product.dtype)
    if not product.numel():
        return largest
    each = torch.maximum(product.amax(1), -product.amin(1))
    return largest.scatter_reduce(0, rows.writer[:n], each, "amax")


def _writes(model: Model, writer: Writer, tokens: Tensor) -> Float[Tensor, "row d_model"]:
    """Rows that span what a writer can add to the stream on these inputs, each divided by its factors' norms."""
    w = model.weights
    match writer.kind:
        case "tok":
            rows = w.tok[tokens.unique()]
        case "pos":
            assert w.pos is not None
            rows = w.pos[: tokens.shape[1]]
        case "head":
            layer, head = writer.layer, writer.head
            kv = head // (model.spec.n_heads // model.spec.n_kv_heads)
            values, out = torch.cat([w.w_v[layer, kv], w.b_v[layer, kv][None]]), w.w_o[layer, head]
            return _unit(values, 1) @ (out / _nonzero(out.norm()))
        case _:
            rows = torch.cat([w.w_out[writer.layer], w.b_out[writer.layer][None]])
    return _unit(rows, 1)


def _reads(model: Model, reader: Reader) -> tuple[Tensor, ...]:
    """A matrix, in factors, that is zero on exactly the directions the reader does nothing with; each factor
    divided by its norm, the last one each column by its own."""
    w, layer, group = model.weights, reader.layer, model.spec.n_heads // model.spec.n_kv_heads
    if reader.kind == "out":
        return _one(w.unembed)
    if reader.kind == "mlp":
        used = (w.w_out[layer] != 0).any(1)
        parts = [w.w_in[layer][:, used]]
        if w.w_gate is not None:
            parts.append(w.w_gate[layer][:, used])
        return _one(torch.cat(parts, 1))
    if reader.port == "q":
        kv = reader.head // group
        other = torch.cat([w.w_k[layer, kv], w.b_k[layer, kv][None]])
        return _two(w.w_q[layer, reader.head], other.T)
    heads = range(reader.head * group, (reader.head + 1) * group)
    if reader.port == "k":
        others = [torch.cat([w.w_q[layer, h], w.b_q[layer, h][None]]) for h in heads]
        return _two(w.w_k[layer, reader.head], torch.cat(others).T)
    return _two(w.w_v[layer, reader.head], torch.cat([w.w_o[layer, h] for h in heads], 1))


def _one(matrix: Tensor) -> tuple[Tensor, ...]:
    return (_unit(matrix, 0),)


def _two(first: Tensor, second: Tensor) -> tuple[Tensor, ...]:
    return first / _nonzero(first.norm()), _unit(second, 0)


def _unit(matrix: Tensor, dim: int) -> Tensor:
    """Rows (dim 1) or columns (dim 0) of length 1; those of length 0 stay."""
    return matrix / _nonzero(matrix.norm(dim=dim, keepdim=True))


def _nonzero(norm: Tensor) -> Tensor:
    return torch.where(norm > 0, norm, 1.0)
