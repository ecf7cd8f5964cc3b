"""The MLP of one layer."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from edgeprune_core.engine.blocks.norm import normalise
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model


def mlp_output(model: Model, layer: int, x: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
    """What the MLP of `layer` writes, its output bias included."""
    spec, w = model.spec, model.weights
    gain, bias = w.norm2(layer)
    x = normalise(spec, x, gain, bias)
    hidden = (x @ w.w_in[layer]).add_(w.b_in[layer])
    if w.w_gate is not None:
        hidden = activate(spec, x @ w.w_gate[layer]) * hidden
    else:
        hidden = activate(spec, hidden)
    return (hidden @ w.w_out[layer]).add_(w.b_out[layer])


def activate(spec: ModelSpec, x: Tensor) -> Tensor:
    match spec.activation:
        case "relu":
            return torch.relu_(x)  # always given a sum of its own
        case "gelu":
            return functional.gelu(x)
        case "gelu_tanh":
            return functional.gelu(x, approximate="tanh")
        case "silu":
            return functional.silu(x)
