"""Small random models of many shapes, in float64, and their translation for the naive forward."""

from __future__ import annotations

import numpy as np
import torch

from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model, Weights, expected_shapes
from tests.edgeprune_core import naive

_SMALL = {"n_layers": 2, "d_vocab": 5, "d_out": 3, "n_ctx": 6}

SPECS = {
    # LayerNorm, biases, d_head != d_model / n_heads, heads != layers
    "gpt2": ModelSpec(
        **_SMALL, n_heads=3, d_model=7, d_head=4, d_mlp=6, norm="layernorm", activation="gelu_tanh",
    ),
    # RMSNorm, rotary, grouped key/value heads, gated MLP
    "llama": ModelSpec(
        **_SMALL, n_heads=4, n_kv_heads=2, d_model=6, d_head=4, d_mlp=5, norm="rmsnorm", norm_eps=1e-3,
        activation="silu", gated_mlp=True, positions="rotary", rope_theta=100.0, rope_scaling=2.0,
    ),
    # parallel blocks, LayerNorm, rotary
    "neox": ModelSpec(
        **_SMALL, n_heads=2, d_model=5, d_head=2, d_mlp=7, norm="layernorm", activation="gelu",
        positions="rotary", parallel_blocks=True,
    ),
    # parallel blocks with one key/value head for all, learned positions, looking both ways
    "multi_query": ModelSpec(
        **_SMALL, n_heads=3, n_kv_heads=1, d_model=5, d_head=3, d_mlp=4, causal=False, parallel_blocks=True,
    ),
    # what Tracr makes: no norm, relu, learned positions, looking both ways; with random biases
    "tracr": ModelSpec(**{**_SMALL, "n_layers": 3}, n_heads=1, d_model=6, d_head=3, d_mlp=5, causal=False),
    # no positions at all
    "bag": ModelSpec(
        **_SMALL, n_heads=2, d_model=5, d_head=3, d_mlp=4, norm="rmsnorm", positions="none", causal=False,
    ),
}  # fmt: skip


def model(name: str, *, seed: int = 0) -> Model:
    """Weights of order 1 after each product, so that attention is neither uniform nor one-hot."""
    spec = SPECS[name]
    draw = torch.Generator().manual_seed(seed)
    tensors = {}
    for key, shape in sorted(expected_shapes(spec).items()):
        x = torch.randn(shape, generator=draw, dtype=torch.float64)
        if key.startswith("w_") or key == "unembed":
            x = x * 1.2 / shape[-2] ** 0.5
        elif key.endswith("gain"):
            x = 1 + 0.3 * x
        elif key.startswith("b_") or key.endswith("bias"):
            x = 0.5 * x
        tensors[key] = x
    if name == "gpt2":
        tensors["b_unembed"] = torch.randn(spec.d_out, generator=draw, dtype=torch.float64)
    return Model(spec, Weights(**tensors))


def shape_of(spec: ModelSpec) -> naive.Shape:
    return naive.Shape(
        n_layers=spec.n_layers, n_heads=spec.n_heads, n_kv_heads=spec.n_kv_heads, d_head=spec.d_head,
        causal=spec.causal, norm=spec.norm, norm_eps=spec.norm_eps, activation=spec.activation,
        positions=spec.positions, parallel=spec.parallel_blocks,
        theta=spec.rope_theta, scaling=spec.rope_scaling,
    )  # fmt: skip


def arrays_of(a_model: Model) -> dict[str, np.ndarray]:
    return {name: t.numpy() for name, t in a_model.weights.tensors().items()}
