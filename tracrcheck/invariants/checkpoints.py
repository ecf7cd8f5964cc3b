"""A checkpoint in the format of `transformers` is read as the code of `transformers` computes it.

A random model is written out by hand under the names of `transformers`, head by head. GPT-2's c_attn is `x @ w + b` with
queries, keys and values side by side and heads within each. Llama's projections act as `x @ w.T` with the rows of a head
together; its MLP is `down(act(gate(x)) * up(x))`; it has no biases; positions are rotated with base theta. The tables of the
model families must read the same sizes and the same numbers back, and the engine must compute with them what `forward.py` does.
"""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from edgeprune_core.engine import trace
from edgeprune_core.families import FAMILIES, model_of
from edgeprune_core.spec import ModelSpec
from tracrcheck.invariants.base import Violations, close, equal, invariant
from tracrcheck.invariants.forward import Forward
from tracrcheck.invariants.subjects import Subject, generator_of, has_layernorm, random_model

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


@invariant(
    "checkpoints in the format of `transformers` have the numbers and compute what their formulas give, head by head",
    applies=has_layernorm,
)
def checkpoints(subject: Subject, seed: int) -> Violations:
    tokens = torch.randint(5, (3, 4), generator=generator_of(seed))
    for kind, spec in SPECS.items():
        weights = random_model(spec, random.Random(seed)).weights.tensors()
        del weights["b_unembed"]
        if kind == "llama":
            weights |= {name: t * 0 for name, t in weights.items() if name.startswith("b_")}
        model = model_of(FAMILIES[kind], CONFIGS[kind], _WRITTEN[kind](weights), dtype=torch.float64)
        yield from equal(f"the sizes of a {kind} checkpoint", model.spec, spec)
        found = model.weights.tensors()
        yield from equal(f"the tensors of a {kind} checkpoint", sorted(found), sorted(weights))
        for name, want in weights.items():
            yield from close(f"{name} of a {kind} checkpoint", found[name], want, 0)
        by_hand, _ = Forward(spec, {name: t.numpy() for name, t in weights.items()}).plain(tokens.numpy())
        got, bound = trace(model, tokens).outputs, torch.tensor(2 * by_hand.off + 1e-12)
        yield from close(f"the outputs of a {kind} checkpoint", got, torch.tensor(by_hand.x), bound)


def _gpt2(w: dict[str, Tensor]) -> dict[str, Tensor]:
    found = {
        "transformer.wte.weight": w["tok"],
        "transformer.wpe.weight": w["pos"],
        "lm_head.weight": w["unembed"].T,
    }
    norms, blocks = {"ln_1": "norm1", "ln_2": "norm2"}, {"mlp.c_fc": "in", "mlp.c_proj": "out"}
    for theirs, ours in (("weight", "gain"), ("bias", "bias")):
        found[f"transformer.ln_f.{theirs}"] = w[f"norm_{ours}"]
        for layer in range(SIZES["n_layers"]):
            for name, norm in norms.items():
                found[f"transformer.h.{layer}.{name}.{theirs}"] = w[f"{norm}_{ours}"][layer]
    for layer in range(SIZES["n_layers"]):
        block = f"transformer.h.{layer}"
        for kind, theirs in (("w", "weight"), ("b", "bias")):
            heads = [head for port in "qkv" for head in w[f"{kind}_{port}"][layer]]
            found[f"{block}.attn.c_attn.{theirs}"] = torch.cat(heads, -1)
            for name, ours in blocks.items():
                found[f"{block}.{name}.{theirs}"] = w[f"{kind}_{ours}"][layer]
        found[f"{block}.attn.c_proj.weight"] = torch.cat(list(w["w_o"][layer]))
        found[f"{block}.attn.c_proj.bias"] = w["b_o"][layer]
    return found


def _llama(w: dict[str, Tensor]) -> dict[str, Tensor]:
    found = {
        "model.embed_tokens.weight": w["tok"],
        "model.norm.weight": w["norm_gain"],
        "lm_head.weight": w["unembed"].T,
    }
    for layer in range(SIZES["n_layers"]):
        block = f"model.layers.{layer}"
        found[f"{block}.input_layernorm.weight"] = w["norm1_gain"][layer]
        found[f"{block}.post_attention_layernorm.weight"] = w["norm2_gain"][layer]
        for port in "qkv":
            found[f"{block}.self_attn.{port}_proj.weight"] = torch.cat(
                [head.T for head in w[f"w_{port}"][layer]]
            )
        found[f"{block}.self_attn.o_proj.weight"] = torch.cat([head.T for head in w["w_o"][layer]], 1)
        for theirs, ours in (("up", "w_in"), ("gate", "w_gate"), ("down", "w_out")):
            found[f"{block}.mlp.{theirs}_proj.weight"] = w[ours][layer].T
    return found


_WRITTEN = {"gpt2": _gpt2, "llama": _llama}
