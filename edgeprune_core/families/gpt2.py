"""GPT-2 (Radford et al. 2019), as in `transformers.models.gpt2`: learned positions, LayerNorm, biases everywhere.

Its projections are `Conv1D`, which act on the right as ours do; queries, keys and values share one, side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from edgeprune_core.error_codes import user_error
from edgeprune_core.families.base import Config, Row, activation, as_is, epsilon, optional, refuse, required
from edgeprune_core.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Gpt2:
    model_type: str = "gpt2"
    body: str = "transformer."
    buffers: tuple[str, ...] = (".attn.bias", ".attn.masked_bias")  # the causal mask, in the hub's own gpt2

    def tied(self, config: Config) -> bool:
        return bool(config.get("tie_word_embeddings", True))

    def spec(self, config: Config) -> ModelSpec:
        """Errors: EP172 where a size is missing or an option is on that we do not compute."""
        refuse(config, "scale_attn_weights", True, True)
        refuse(config, "scale_attn_by_inverse_layer_idx", False, False)
        refuse(config, "add_cross_attention", False, False)
        d_model, n_heads = required(config, "n_embd"), required(config, "n_head")
        if d_model % n_heads:
            raise user_error("EP172.heads", got=f"{n_heads} and {d_model}")
        d_vocab = required(config, "vocab_size")
        return ModelSpec(
            n_layers=required(config, "n_layer"),
            n_heads=n_heads,
            d_model=d_model,
            d_head=d_model // n_heads,
            d_mlp=optional(config, "n_inner", 4 * d_model),
            d_vocab=d_vocab,
            d_out=d_vocab,
            n_ctx=required(config, "n_positions"),
            norm="layernorm",
            norm_eps=epsilon(config, "layer_norm_epsilon", 1e-5),
            activation=activation(config.get("activation_function", "gelu_new")),
        )

    def rows(self, spec: ModelSpec, config: Config) -> tuple[Row, ...]:
        d, h, e = spec.d_model, spec.n_heads, spec.d_head
        block = "transformer.h.{layer}."
        qkv = Row(
            block + "attn.c_attn.weight",
            ("w_q", "w_k", "w_v"),
            lambda t: tuple(w.view(d, h, e).transpose(0, 1) for w in t.split(d, -1)),
            lambda *ws: torch.cat([w.transpose(0, 1).reshape(d, d) for w in ws], -1),
        )
        qkv_bias = Row(
            block + "attn.c_attn.bias",
            ("b_q", "b_k", "b_v"),
            lambda t: tuple(t.view(3, h, e)),
            lambda *bs: torch.cat([b.reshape(d) for b in bs]),
        )
        out = Row(
            block + "attn.c_proj.weight", ("w_o",), lambda t: (t.view(h, e, d),), lambda w: w.reshape(d, d)
        )
        same = {
            "transformer.wte.weight": "tok",
            "transformer.wpe.weight": "pos",
            block + "ln_1.weight": "norm1_gain",
            block + "ln_1.bias": "norm1_bias",
            block + "attn.c_proj.bias": "b_o",
            block + "ln_2.weight": "norm2_gain",
            block + "ln_2.bias": "norm2_bias",
            block + "mlp.c_fc.weight": "w_in",
            block + "mlp.c_fc.bias": "b_in",
            block + "mlp.c_proj.weight": "w_out",
            block + "mlp.c_proj.bias": "b_out",
            "transformer.ln_f.weight": "norm_gain",
            "transformer.ln_f.bias": "norm_bias",
        }
        return (qkv, qkv_bias, out, *(as_is(theirs, ours) for theirs, ours in same.items()))
