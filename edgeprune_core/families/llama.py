"""Llama (Touvron et al. 2023, arXiv 2302.13971), as in `transformers.models.llama`: rotary positions, RMSNorm,
a gated MLP, grouped key/value heads, biases nowhere or, where `attention_bias` says so, in attention.

CodeLlama (Roziere et al. 2023, arXiv 2308.12950) is this family with a rotary base of 1e6 and no scaling
(`"rope_theta": 1000000, "rope_scaling": null` in its configuration). Linear scaling of positions (Chen et al.
2023, arXiv 2306.15595), with which its paper compares that, is computed too.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeprune_core.error_codes import user_error
from edgeprune_core.families.base import (
    Config,
    Row,
    activation,
    as_is,
    epsilon,
    optional,
    refuse,
    required,
    transposed,
)
from edgeprune_core.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Llama:
    model_type: str = "llama"
    body: str = "model."
    buffers: tuple[str, ...] = (".rotary_emb.inv_freq",)

    def tied(self, config: Config) -> bool:
        return bool(config.get("tie_word_embeddings", False))

    def spec(self, config: Config) -> ModelSpec:
        """Errors: EP172 where a size is missing or an option is on that we do not compute."""
        refuse(config, "mlp_bias", False, False)
        d_model, n_heads = required(config, "hidden_size"), required(config, "num_attention_heads")
        theta, scaling = _rotary(config)
        d_vocab = required(config, "vocab_size")
        return ModelSpec(
            n_layers=required(config, "num_hidden_layers"),
            n_heads=n_heads,
            n_kv_heads=optional(config, "num_key_value_heads", n_heads),
            d_model=d_model,
            d_head=optional(config, "head_dim", max(d_model // n_heads, 1)),
            d_mlp=required(config, "intermediate_size"),
            d_vocab=d_vocab,
            d_out=d_vocab,
            n_ctx=optional(config, "max_position_embeddings", 2048),
            norm="rmsnorm",
            norm_eps=epsilon(config, "rms_norm_eps", 1e-6),
            activation=activation(config.get("hidden_act", "silu")),
            gated_mlp=True,
            positions="rotary",
            rope_theta=theta,
            rope_scaling=scaling,
        )

    def rows(self, spec: ModelSpec, config: Config) -> tuple[Row, ...]:
        d, h, kv, e = spec.d_model, spec.n_heads, spec.n_kv_heads, spec.d_head
        block = "model.layers.{layer}."
        out = Row(
            block + "self_attn.o_proj.weight",
            ("w_o",),
            lambda t: (t.view(d, h, e).permute(1, 2, 0),),
            lambda w: w.permute(2, 0, 1).reshape(d, h * e),
        )
        rows = [
            as_is("model.embed_tokens.weight", "tok"),
            as_is(block + "input_layernorm.weight", "norm1_gain"),
            _into_heads(block + "self_attn.q_proj.weight", "w_q", h),
            _into_heads(block + "self_attn.k_proj.weight", "w_k", kv),
            _into_heads(block + "self_attn.v_proj.weight", "w_v", kv),
            out,
            as_is(block + "post_attention_layernorm.weight", "norm2_gain"),
            transposed(block + "mlp.up_proj.weight", "w_in"),
            transposed(block + "mlp.gate_proj.weight", "w_gate"),
            transposed(block + "mlp.down_proj.weight", "w_out"),
            as_is("model.norm.weight", "norm_gain"),
        ]
        if config.get("attention_bias"):
            rows += [
                _head_bias(block + "self_attn.q_proj.bias", "b_q", h),
                _head_bias(block + "self_attn.k_proj.bias", "b_k", kv),
                _head_bias(block + "self_attn.v_proj.bias", "b_v", kv),
                as_is(block + "self_attn.o_proj.bias", "b_o"),
            ]
        return tuple(rows)


def _rotary(config: Config) -> tuple[float, float]:
    """Base and linear scaling, as version 4 (`rope_theta`, `rope_scaling`) and 5 (`rope_parameters`) say it."""
    given = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = given.get("rope_type") or given.get("type") or "default"
    if kind not in ("default", "linear") or given.get("partial_rotary_factor", 1.0) != 1.0:
        raise user_error("EP172.rotary", got=given)
    theta = given.get("rope_theta") or config.get("rope_theta") or 10_000.0
    return float(theta), float(given.get("factor", 1.0)) if kind == "linear" else 1.0


def _into_heads(theirs: str, ours: str, heads: int) -> Row:
    return Row(
        theirs,
        (ours,),
        lambda t: (t.unflatten(0, (heads, -1)).transpose(1, 2),),
        lambda w: w.transpose(1, 2).flatten(0, 1),
    )


def _head_bias(theirs: str, ours: str, heads: int) -> Row:
    return Row(theirs, (ours,), lambda t: (t.unflatten(0, (heads, -1)),), lambda b: b.flatten())
