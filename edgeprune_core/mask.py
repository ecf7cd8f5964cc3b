"""Masks: a circuit as a tensor `reader writer`, and back.

A mask entry is the share of an edge that is kept: 1 keeps, 0 cuts, anything between mixes. Entries with no
edge behind them (a writer that has not yet written) are 0 and never read.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.error_codes import user_error
from edgeprune_core.graph import ResidualGraph


def edge_mask(graph: ResidualGraph, *, device: torch.device | None = None) -> Bool[Tensor, "reader writer"]:
    """True where the graph has an edge."""
    reach = torch.tensor(graph.reach, device=device)
    return torch.arange(len(graph.writers), device=device) < reach[:, None]


def to_mask(
    circuits: Circuit | Iterable[Circuit],
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> Float[Tensor, "circuit reader writer"]:
    """One mask per circuit, stacked; a single circuit gives a circuit axis of 1."""
    circuits = [circuits] if isinstance(circuits, Circuit) else list(circuits)
    graph = circuits[0].graph
    mask = torch.zeros(len(circuits), len(graph.readers), len(graph.writers), dtype=dtype)
    for row, circuit in zip(mask, circuits, strict=True):
        if circuit.graph != graph:
            raise user_error("EP121.circuit", got=circuit.graph, wanted=graph)
        if circuit.edges:
            readers, writers = zip(*(edge.key for edge in circuit.edges), strict=True)
            row[list(readers), list(writers)] = 1
    return mask.to(device)


def circuit_from_mask(graph: ResidualGraph, kept: Bool[Tensor, "reader writer"]) -> Circuit:
    """The circuit of the edges that `kept` marks."""
    if tuple(kept.shape) != (len(graph.readers), len(graph.writers)):
        raise user_error("EP141", got=tuple(kept.shape), wanted=(len(graph.readers), len(graph.writers)))
    on = kept & edge_mask(graph, device=kept.device)
    starts = [0]
    for reach in graph.reach:
        starts.append(starts[-1] + reach)
    return Circuit(graph, frozenset(graph.edges[starts[r] + w] for r, w in on.nonzero().tolist()))


def circuit_from_flags(graph: ResidualGraph, on: Bool[Tensor, " edge"]) -> Circuit:
    """The circuit of the edges that are `on`, in the order of `graph.edges`."""
    return Circuit(
        graph, frozenset(edge for edge, kept in zip(graph.edges, on.tolist(), strict=True) if kept)
    )


def edge_flags(circuit: Circuit) -> Bool[Tensor, " edge"]:
    """The inverse of `circuit_from_flags`."""
    return torch.tensor([edge in circuit.edges for edge in circuit.graph.edges])


def edge_values(graph: ResidualGraph, mask: Tensor) -> Tensor:
    """The legal entries of `[..., reader, writer]`, flat in the order of `graph.edges`: `[..., edge]`."""
    return mask[..., edge_mask(graph, device=mask.device)]


def mask_from_edge_values(
    graph: ResidualGraph, values: Float[Tensor, "circuit edge"]
) -> Float[Tensor, "circuit reader writer"]:
    """The inverse of `edge_values`: differentiable, zero where there is no edge."""
    on = edge_mask(graph, device=values.device)
    mask = values.new_zeros(len(values), *on.shape)
    return mask.masked_scatter(on.expand_as(mask), values) if values.numel() else mask


def live_edges(graph: ResidualGraph, on: Bool[Tensor, "circuit edge"]) -> Bool[Tensor, "circuit edge"]:
    """The edges that a path of edges of the same circuit joins to `out`. No other changes an output."""
    # In NumPy, which has less overhead: the operations are tiny.
    by_writer = mask_from_edge_values(graph, on).permute(2, 0, 1).numpy()
    reads = np.zeros(by_writer.shape[1:], bool)
    reads[:, -1] = True
    for writer in reversed(graph.writers):
        if readers := [reader.index for reader in graph.readers_of(writer)]:
            reads[:, readers] |= (by_writer[writer.index] & reads).any(1, keepdims=True)
    return on & torch.from_numpy(reads.repeat(graph.reach, axis=1))
