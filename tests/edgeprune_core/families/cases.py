"""Tiny random models of `transformers`, of every configuration that a family's table covers.

For each family a Hypothesis strategy of configurations, and what makes a live model of one. Weights are of order
1 after each product, biases and norms random too: the library's own initialisation (0.02, zeros, ones) would hide
a lost bias or gain. Streams are 4 wide or wider: a norm of 2 numbers is a step function, and float32 falls on
either side of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

ACTIVATIONS = ["gelu_new", "gelu_pytorch_tanh", "gelu", "relu", "silu", "swish"]
NARROWEST = 4
SMALL = {"bos_token_id": None, "eos_token_id": None, "attn_implementation": "sdpa"}


@st.composite
def gpt2_configs(draw) -> GPT2Config:
    heads = draw(st.integers(1, 4))
    d_head = draw(st.integers(-(-NARROWEST // heads), 5))
    return GPT2Config(
        n_layer=draw(st.integers(1, 4)),
        n_head=heads,
        n_embd=heads * d_head,
        n_inner=draw(st.none() | st.integers(1, 9)),
        vocab_size=draw(st.integers(2, 13)),
        n_positions=draw(st.integers(1, 9)),
        activation_function=draw(st.sampled_from(ACTIVATIONS)),
        layer_norm_epsilon=draw(st.sampled_from([1e-5, 1e-3])),
        tie_word_embeddings=draw(st.booleans()),
        **SMALL,
    )


@st.composite
def llama_configs(draw) -> LlamaConfig:
    kv, group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    heads = kv * group
    rope = {"rope_type": "default", "rope_theta": draw(st.sampled_from([1e4, 1e6, 100.0]))}
    if draw(st.booleans()):
        rope |= {"rope_type": "linear", "factor": draw(st.sampled_from([2.0, 4.0, 1.5]))}
    return LlamaConfig(
        num_hidden_layers=draw(st.integers(1, 4)),
        num_attention_heads=heads,
        num_key_value_heads=kv,
        head_dim=2 * draw(st.integers(1, 4)),
        hidden_size=heads * draw(st.integers(-(-NARROWEST // heads), 5)),
        intermediate_size=draw(st.integers(1, 9)),
        vocab_size=draw(st.integers(2, 13)),
        max_position_embeddings=draw(st.integers(1, 9)),
        hidden_act=draw(st.sampled_from(ACTIVATIONS)),
        rms_norm_eps=draw(st.sampled_from([1e-5, 1e-3])),
        attention_bias=draw(st.booleans()),
        tie_word_embeddings=draw(st.booleans()),
        rope_parameters=rope,
        **SMALL,
    )


@dataclass(frozen=True)
class Case:
    """A family's configurations; `small` is one of them, written out."""

    configs: Callable[[], st.SearchStrategy]
    make: type
    small: Callable[[], object]


CASES = {
    "gpt2": Case(
        gpt2_configs,
        GPT2LMHeadModel,
        lambda: GPT2Config(
            n_layer=2, n_head=3, n_embd=9, n_inner=7, vocab_size=11, n_positions=8,
            tie_word_embeddings=False, **SMALL,
        ),
    ),
    "llama": Case(
        llama_configs,
        LlamaForCausalLM,
        lambda: LlamaConfig(
            num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=6, hidden_size=8,
            intermediate_size=7, vocab_size=11, max_position_embeddings=8, attention_bias=True,
            rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1e6}, **SMALL,
        ),
    ),
}  # fmt: skip


class InFloat64(TorchFunctionMode):
    """Makes code that asks for float32 run in float64.

    `transformers` computes RMSNorm and rotary angles in float32 whatever the model's dtype, which would bound
    the comparison at 1e-7. Under this class its own code runs with float64 instead.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        def wide(x):
            return torch.float64 if x is torch.float32 else x

        if func is torch.Tensor.float:
            func = torch.Tensor.double
        return func(*map(wide, args), **{k: wide(v) for k, v in (kwargs or {}).items()})


@torch.no_grad()
def live(kind: str, config=None, *, seed: int = 0):
    """A `transformers` model with random weights, float32."""
    model = CASES[kind].make(CASES[kind].small() if config is None else config).eval()
    draw = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        x = torch.randn(p.shape, generator=draw)
        if p.dim() == 2 and "wte" not in name and "wpe" not in name and "embed" not in name:
            x = x / (min(p.shape) if kind == "gpt2" else p.shape[1]) ** 0.5
        elif "bias" in name:
            x = 0.5 * x
        elif p.dim() == 1:
            x = 1 + 0.3 * x
        p.copy_(x)
    return model


@torch.no_grad()
def live_in_float64(kind: str, config, *, seed: int = 0):
    """The same model in float64. Use it under `InFloat64`."""
    single = live(kind, config, seed=seed)
    with InFloat64():
        double = CASES[kind].make(config).eval().double()
    double.load_state_dict(single.double().state_dict())
    return double


def some_tokens(config, *, batch: int = 2, seed: int = 0) -> torch.Tensor:
    """Random tokens over the whole context."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(config.vocab_size, (batch, config.max_position_embeddings), generator=draw)
