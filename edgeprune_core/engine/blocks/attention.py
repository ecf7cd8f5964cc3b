"""Attention heads of one layer, each fed its own query, key and value streams."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from edgeprune_core.engine.blocks.norm import normalise
from edgeprune_core.engine.blocks.rotary import rotate
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model

# Queries, keys and values: `*lead some_head batch pos d_head`.
Ports = Sequence[Tensor]

# Below a vector of keys, plain arithmetic beats the kernel made for long rows (measured: 5 to 15 times).
FEW_KEYS = 15


def heads_output(
    model: Model,
    layer: int,
    q_in: Float[Tensor, "*lead head batch pos d_model"],
    k_in: Float[Tensor, "*lead kv_head batch pos d_model"],
    v_in: Float[Tensor, "*lead kv_head batch pos d_model"],
    *,
    valid: Bool[Tensor, "batch pos"] | None = None,
) -> Float[Tensor, "*lead head batch pos d_model"]:
    """What each head of `layer` writes, without the output bias (it belongs to no head)."""
    return attended(model, layer, *projected(model, layer, (q_in, k_in, v_in)), valid=valid)


def projected(
    model: Model,
    layer: int,
    inputs: Sequence[Float[Tensor, "*lead some_head batch pos d_model"]],
    heads: Sequence[slice | list[int]] = (slice(None),) * 3,
) -> Ports:
    """Queries, keys and values of the three streams, for these heads of each. A stream with one reader serves all heads."""
    w = model.weights
    gain, bias = w.norm1(layer)
    of_q, of_k, of_v = heads
    q, k, v = (normalise(model.spec, x, gain, bias) for x in inputs)
    return (
        _project(q, w.w_q[layer][of_q], w.b_q[layer][of_q]),
        _project(k, w.w_k[layer][of_k], w.b_k[layer][of_k]),
        _project(v, w.w_v[layer][of_v], w.b_v[layer][of_v]),
    )


def attended(
    model: Model,
    layer: int,
    q: Float[Tensor, "*lead head batch pos d_head"],
    k: Float[Tensor, "*lead kv_head batch pos d_head"],
    v: Float[Tensor, "*lead kv_head batch pos d_head"],
    *,
    heads: slice | list[int] = slice(None),
    kv_of: list[int] | None = None,
    valid: Bool[Tensor, "batch pos"] | None = None,
    summed: bool = False,
) -> Float[Tensor, "*lead head batch pos d_model"]:
    """What each head writes, or all of them together, where `summed`.

    kv_of: for each query's head, the place of its key/value head in `k` and `v`; None: they are shared evenly, in order.
    `valid` marks real tokens, and no query looks at a key that is not one. Scores are divided by sqrt(d_head) (Vaswani et al. 2017, eq. 1).
    """
    spec = model.spec
    if spec.positions == "rotary":
        q, k = rotate(spec, q), rotate(spec, k)
    if kv_of is not None:
        k, v = k[..., kv_of, :, :, :], v[..., kv_of, :, :, :]
    elif (group := q.shape[-4] // k.shape[-4]) > 1:
        k, v = k.repeat_interleave(group, -4), v.repeat_interleave(group, -4)
    mixed = pattern(spec, q, k, valid) @ v
    w_o = model.weights.w_o[layer][heads]
    if summed:
        flat = mixed.movedim(-4, -2).flatten(-2)
        return (flat @ w_o.flatten(0, 1)).unsqueeze(-4)
    return torch.einsum("...hbpe,hed->...hbpd", mixed, w_o)


def _project(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return torch.einsum("...hbpd,hde->...hbpe", x, w).add_(b[:, None, None, :])


def pattern(spec: ModelSpec, q: Tensor, k: Tensor, valid: Tensor | None) -> Tensor:
    """Attention probabilities `... batch query key` of projected queries and keys `... batch pos d_head`."""
    scores = (q @ k.transpose(-1, -2)).div_(math.sqrt(spec.d_head))
    if spec.causal:
        n = scores.shape[-1]
        later = torch.ones(n, n, dtype=torch.bool, device=scores.device).triu(1)
        scores.masked_fill_(later, -math.inf)
    if valid is not None:
        scores.masked_fill_(~valid[:, None, :], -math.inf)
    return _softmax(scores)


def _softmax(scores: Tensor) -> Tensor:
    """torch's own goes row by row, which is slow where there are many rows of a few keys."""
    if scores.requires_grad or scores.shape[-1] > FEW_KEYS:
        return scores.softmax(-1)
    weights = scores.sub_(scores.amax(-1, keepdim=True)).exp_()
    return weights.div_(weights.sum(-1, keepdim=True))
