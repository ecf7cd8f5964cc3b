"""Folds normalisation into the adjacent weights: the same outputs for every mask, with one number per token to compute.

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

from edgeprune_core.weights import Model, Weights


@torch.no_grad()
def folded(model: Model) -> Model:
    """The model without gains, biases and means of norms. Its graph is the same, its writers' outputs are centred."""
    spec, w = model.spec, model.weights
    if spec.norm not in ("layernorm", "rmsnorm") or (spec.norm == "layernorm" and spec.gated_mlp):
        return model  # a gate has no bias that could take the norm's
    centred = _centred if spec.norm == "layernorm" else _same
    now = w.tensors()
    norms = [(now.pop(f"{name}_gain"), now.pop(f"{name}_bias", None)) for name in ("norm1", "norm2", "norm")]
    now |= {
        name: centred(now[name]) for name in ("tok", "pos", "w_o", "b_o", "w_out", "b_out") if name in now
    }

    (gain, bias), (gain2, bias2), (gain_out, bias_out) = norms
    for port in ("q", "k", "v"):
        now[f"w_{port}"] = now[f"w_{port}"] * gain[:, None, :, None]
        if bias is not None:
            now[f"b_{port}"] = now[f"b_{port}"] + torch.einsum("ld,lhde->lhe", bias, getattr(w, f"w_{port}"))
    for name in {"w_in", "w_gate"} & set(now):
        now[name] = now[name] * gain2[:, :, None]
    if bias2 is not None:
        now["b_in"] = w.b_in + torch.einsum("ld,ldm->lm", bias2, w.w_in)
    now["unembed"] = w.unembed * gain_out[:, None]
    if bias_out is not None:
        now["b_unembed"] = bias_out @ w.unembed + (0 if w.b_unembed is None else w.b_unembed)
    return Model(replace(spec, norm="rms"), Weights(**now))


def _centred(writes: Tensor) -> Tensor:
    return writes - writes.mean(-1, keepdim=True)


def _same(writes: Tensor) -> Tensor:
    return writes
