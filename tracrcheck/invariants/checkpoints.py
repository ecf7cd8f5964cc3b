"""A checkpoint in the format of `transformers` is read as the code of `transformers` computes it.

Random tensors with the names of `transformers` are read by the tables of the model families, and by hand, head by head.
GPT-2's c_attn is `x @ w + b` with queries, keys and values side by side and heads within each. Llama's projections act as
`x @ w.T` with the rows of a head together; its MLP is `down(act(gate(x)) * up(x))`; positions are rotated with base theta.
The model must then compute what the forward pass of `forward.py` computes on the tensors read by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from edgeprune_core.engine import trace
from edgeprune_core.families import FAMILIES, model_of
from edgeprune_core.spec import ModelSpec
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.forward import Forward
from tracrcheck.invariants.subjects import Subject, generator_of, is_program

SIZES: dict[str, Any] = {"n_layers": 2, "d_vocab": 5, "d_out": 5, "n_ctx": 6, "d_mlp": 10}
SPECS = {
    "gpt2": ModelSpec(
        n_heads=2, d_model=6, d_head=3, norm="layernorm", norm_eps=1e-3, activation="gelu_tanh", **SIZES
    ),
    "llama": ModelSpec(
        n_heads=4, n_kv_heads=2, d_model=6, d_head=4, norm="rmsnorm", norm_eps=1e-3, activation="silu",
        gated_mlp=True, positions="rotary", rope_theta=50.0, **SIZES,
    ),
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "gpt2": {
        "model_type": "gpt2", "n_embd": 6, "n_head": 2, "n_layer": 2, "n_positions": 6, "vocab_size": 5, "n_inner": 10,
        "layer_norm_epsilon": 1e-3, "activation_function": "gelu_new", "tie_word_embeddings": False,
    },
    "llama": {
        "model_type": "llama", "hidden_size": 6, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4,
        "num_hidden_layers": 2, "intermediate_size": 10, "vocab_size": 5, "max_position_embeddings": 6,
        "rms_norm_eps": 1e-3, "hidden_act": "silu", "rope_theta": 50.0,
    },
}  # fmt: skip


def checkpoints(subject: Subject, seed: int) -> Violation | None:
    draw = generator_of(seed)
    tokens = torch.randint(5, (3, 4), generator=draw)
    for kind, spec in SPECS.items():
        tensors = {name: _drawn(name, shape, draw) for name, shape in _SHAPES[kind].items()}
        model = model_of(FAMILIES[kind], CONFIGS[kind], tensors, dtype=torch.float64)
        weights = _READ[kind](spec, {name: t.numpy() for name, t in tensors.items()})
        want, _ = Forward(spec, weights).plain(tokens.numpy())
        got = trace(model, tokens).outputs.numpy()
        if (off := np.abs(got - want.x) - 2 * want.off - 1e-12).max() > 0:
            place = tuple(map(int, np.unravel_index(off.argmax(), off.shape)))
            return Violation(f"a {kind} checkpoint at {place}", float(got[place]), float(want.x[place]))
    return None


def _drawn(name: str, shape: tuple[int, ...], draw: torch.Generator) -> torch.Tensor:
    x = torch.randn(shape, generator=draw, dtype=torch.float64)
    norm = any(part in name for part in ("ln_", "norm"))
    return 1 + 0.3 * x if norm and name.endswith("weight") else x / 2


def _layers(shapes: dict[str, tuple[int, ...]], block: str, rest: dict[str, tuple[int, ...]]):
    return {f"{block.format(n)}.{name}": shape for n in range(2) for name, shape in shapes.items()} | rest


_SHAPES = {
    "gpt2": _layers(
        {
            "ln_1.weight": (6,), "ln_1.bias": (6,), "attn.c_attn.weight": (6, 18), "attn.c_attn.bias": (18,),
            "attn.c_proj.weight": (6, 6), "attn.c_proj.bias": (6,), "ln_2.weight": (6,), "ln_2.bias": (6,),
            "mlp.c_fc.weight": (6, 10), "mlp.c_fc.bias": (10,), "mlp.c_proj.weight": (10, 6), "mlp.c_proj.bias": (6,),
        },
        "transformer.h.{}",
        {
            "transformer.wte.weight": (5, 6), "transformer.wpe.weight": (6, 6), "transformer.ln_f.weight": (6,),
            "transformer.ln_f.bias": (6,), "lm_head.weight": (5, 6),
        },
    ),
    "llama": _layers(
        {
            "input_layernorm.weight": (6,), "self_attn.q_proj.weight": (16, 6), "self_attn.k_proj.weight": (8, 6),
            "self_attn.v_proj.weight": (8, 6), "self_attn.o_proj.weight": (6, 16),
            "post_attention_layernorm.weight": (6,), "mlp.up_proj.weight": (10, 6), "mlp.gate_proj.weight": (10, 6),
            "mlp.down_proj.weight": (6, 10),
        },
        "model.layers.{}",
        {"model.embed_tokens.weight": (5, 6), "model.norm.weight": (6,), "lm_head.weight": (5, 6)},
    ),
}  # fmt: skip


def _gpt2(spec: ModelSpec, t: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    d, e, heads = spec.d_model, spec.d_head, range(spec.n_heads)
    w: dict[str, Any] = {"tok": t["transformer.wte.weight"], "pos": t["transformer.wpe.weight"]}
    w |= {
        f"norm_{ours}": t[f"transformer.ln_f.{name}"] for ours, name in (("gain", "weight"), ("bias", "bias"))
    }
    w["unembed"] = t["lm_head.weight"].T
    for n in range(spec.n_layers):
        block = {name.split(".", 3)[3]: x for name, x in t.items() if name.startswith(f"transformer.h.{n}.")}
        for i, port in enumerate("qkv"):
            columns = [slice(i * d + h * e, i * d + (h + 1) * e) for h in heads]
            _add(w, f"w_{port}", np.stack([block["attn.c_attn.weight"][:, c] for c in columns]))
            _add(w, f"b_{port}", np.stack([block["attn.c_attn.bias"][c] for c in columns]))
        _add(w, "w_o", np.stack([block["attn.c_proj.weight"][h * e : (h + 1) * e] for h in heads]))
        for ours, theirs in (
            ("b_o", "attn.c_proj.bias"), ("w_in", "mlp.c_fc.weight"), ("b_in", "mlp.c_fc.bias"),
            ("w_out", "mlp.c_proj.weight"), ("b_out", "mlp.c_proj.bias"), ("norm1_gain", "ln_1.weight"),
            ("norm1_bias", "ln_1.bias"), ("norm2_gain", "ln_2.weight"), ("norm2_bias", "ln_2.bias"),
        ):  # fmt: skip
            _add(w, ours, block[theirs])
    return w


def _llama(spec: ModelSpec, t: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    e, d = spec.d_head, spec.d_model
    w: dict[str, Any] = {"tok": t["model.embed_tokens.weight"], "norm_gain": t["model.norm.weight"]}
    w["unembed"] = t["lm_head.weight"].T
    for n in range(spec.n_layers):
        block = {name.split(".", 3)[3]: x for name, x in t.items() if name.startswith(f"model.layers.{n}.")}
        for port, heads in (("q", spec.n_heads), ("k", spec.n_kv_heads), ("v", spec.n_kv_heads)):
            rows = block[f"self_attn.{port}_proj.weight"]
            _add(w, f"w_{port}", np.stack([rows[h * e : (h + 1) * e].T for h in range(heads)]))
            _add(w, f"b_{port}", np.zeros((heads, e)))
        out = block["self_attn.o_proj.weight"]
        _add(w, "w_o", np.stack([out[:, h * e : (h + 1) * e].T for h in range(spec.n_heads)]))
        for ours, theirs in (("w_in", "up"), ("w_gate", "gate"), ("w_out", "down")):
            _add(w, ours, block[f"mlp.{theirs}_proj.weight"].T)
        for ours, size in (("b_o", d), ("b_in", spec.d_mlp), ("b_out", d)):
            _add(w, ours, np.zeros(size))
        _add(w, "norm1_gain", block["input_layernorm.weight"])
        _add(w, "norm2_gain", block["post_attention_layernorm.weight"])
    return w


def _add(w: dict[str, Any], name: str, of_layer: np.ndarray) -> None:
    w.setdefault(name, []).append(of_layer)


_READ = {"gpt2": _gpt2, "llama": _llama}

CHECKPOINTS = Invariant(
    name="checkpoints",
    statement="checkpoints in the format of `transformers` compute what their formulas give when read head by head",
    check=checkpoints,
    applies=lambda subject: subject.spec.norm == "layernorm" and not is_program(subject),
)
