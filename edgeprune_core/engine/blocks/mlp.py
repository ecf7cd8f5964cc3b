"""The MLP of one layer."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from edgeprune_core.engine.blocks.norm import normalise
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model

# A sum of order 10 in float32 misses an exact 0 by up to a few 1e-6.
KINK = 1e-5


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


class Relu(torch.autograd.Function):
    """ReLU whose slope is 1/2 within KINK of 0, where torch's own is 0 or 1 as rounding has it.

    Tracr writes a linear map as relu(x) - relu(-x), and many inputs of compiled models lie on the kink: with 1/2 from
    either side the sum has slope 1 there, as it has everywhere else, and as finite differences say. At a kink of one
    side only, it is the mean of both slopes, in every precision.
    """

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * torch.where(x.abs() <= KINK, 0.5, (x > 0).to(x.dtype))


def activate(spec: ModelSpec, x: Tensor) -> Tensor:
    match spec.activation:
        case "relu" if x.requires_grad:
            return Relu.apply(x)
        case "relu":
            return torch.relu_(x)  # always given a sum of its own
        case "gelu":
            return functional.gelu(x)
        case "gelu_tanh":
            return functional.gelu(x, approximate="tanh")
        case "silu":
            return functional.silu(x)
