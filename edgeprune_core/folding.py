"""Normalisation folded into the weights beside it: the same outputs for every mask, with one number a token to take.

A reader's norm acts on x, the sum of what kept edges carry. Its gain g and bias c belong to the projection after it,

    (r x * g + c) W + b  =  r (x W') + b',      W' = diag(g) W,   b' = b + c W,

and LayerNorm's mean is linear in x: with every writer's output centred, x has none, and LayerNorm is r = (|x|^2 / d +
eps)^(-1/2) alone. Cut edges carry what writers write somewhere, or zeros, so what they carry is centred too. The
unembedding is a projection like the others; a token embedding that it was tied to is untied.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from edgeprune_core.weights import Model


@torch.no_grad()
def folded(model: Model) -> Model:
    """The model without gains, biases and means of norms. Its graph is the same, its writers' outputs are centred."""
    spec, w = model.spec, model.weights
    if spec.norm not in ("layernorm", "rmsnorm"):
        return model
    centred = _centred if spec.norm == "layernorm" else _same
    changed: dict[str, Tensor | None] = {"tok": centred(w.tok), "w_o": centred(w.w_o), "b_o": centred(w.b_o)}
    changed |= {"w_out": centred(w.w_out), "b_out": centred(w.b_out)}
    if w.pos is not None:
        changed["pos"] = centred(w.pos)

    gain, bias = w.norm1_gain, w.norm1_bias
    for name in ("q", "k", "v"):
        matrix, offset = getattr(w, f"w_{name}"), getattr(w, f"b_{name}")
        changed[f"w_{name}"] = matrix * gain[:, None, :, None]
        if bias is not None:
            changed[f"b_{name}"] = offset + torch.einsum("ld,lhde->lhe", bias, matrix)
    gain, bias = w.norm2_gain, w.norm2_bias
    changed["w_in"] = w.w_in * gain[:, :, None]
    if bias is not None:
        changed["b_in"] = w.b_in + torch.einsum("ld,ldm->lm", bias, w.w_in)
    if w.w_gate is not None:
        changed["w_gate"] = w.w_gate * gain[:, :, None]
    changed["unembed"] = w.unembed * w.norm_gain[:, None]
    if w.norm_bias is not None:
        offset = w.norm_bias @ w.unembed
        changed["b_unembed"] = offset if w.b_unembed is None else w.b_unembed + offset
    gone = ("norm1_gain", "norm1_bias", "norm2_gain", "norm2_bias", "norm_gain", "norm_bias")
    return Model(replace(spec, norm="rms"), replace(w, **changed, **dict.fromkeys(gone)))


def _centred(writes: Tensor) -> Tensor:
    return writes - writes.mean(-1, keepdim=True)


def _same(writes: Tensor) -> Tensor:
    return writes
