"""A planted program as a GPT-2: Planted -> a model with LayerNorm and GELU, and with the same outputs and circuit.

LayerNorm gives (x - mean) / sqrt(var + eps) * gain + bias. Here it is the identity, up to a small factor:

    1. The stream s of the planted model becomes x = s E + b. The rows of E are orthonormal and orthogonal to the vector of
       ones and to b, so the mean of x is 0 whatever s is, and |x|^2 = |s|^2 + |b|^2.
    2. b is the ballast, +B and -B in two coordinates. The position embedding writes it; nothing else writes or reads there.
       Then var = (|s|^2 + 2 B^2) / d. With gain B sqrt(2 / d) and bias 0,

           LN(x) E^T = s / sqrt(1 + (|s|^2 + d eps) / (2 B^2)) = s (1 - shrink),     0 <= shrink <= (|s|^2 + d eps) / (4 B^2).

    3. Readers' weights W become E^T W, and what is written, w, becomes w E. E is a random frame: it turns the stream.
    4. relu(u) becomes gelu(k u) / k, which differs from it by at most 0.17 / k: w_in and b_in grow by k, w_out shrinks.
    5. The vocabulary is the program's tokens, then its output values. The logit of an output value is the program's output
       coordinate times `sharpness`, and every other logit is 0.
    6. Before all that, the program is rewritten so that float32 can compute it (float32.py).

A cut edge still carries what it carried in the planted model, and the ballast is the same on every input, so means and
resampled values keep it. Under zero ablation a cut edge of `pos` removes the ballast, and with it the norm: another truth,
which is not claimed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.families import FAMILIES, model_of, tensors_of
from edgeprune_core.metrics.divergence import sharp_temperature
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model, Weights
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import user_error
from tracrcheck.planted.distractors import Draw
from tracrcheck.planted.float32 import for_float32
from tracrcheck.planted.planting import Planted, plant
from tracrcheck.planted.slots import components
from tracrcheck.program import Token

# B. The shrinking is |s|^2 / (4 B^2): 2.5e-11 for a stream of length 10. In float32 the variance is rounded to 6e-8 anyway.
BALLAST = 1e6
# k. gelu_new cubes its input: k u must stay far below 1e12, where the cube overflows in float32.
STEEP = 1e5
EPSILON = 1e-5
# Coordinates that the planted stream cannot use: two hold the ballast, and one more is fixed by the mean of 0.
APART = 3
# The ablations under which the truth of the planted model is that of the GPT-2.
PLANTED_UNDER = ("resample", "mean")
D_HEAD = 64  # of every GPT-2


@dataclass(frozen=True, kw_only=True, eq=False)
class Gpt2Host:
    """planted: without norms. model: as GPT-2, in float64. sharpness: logits per unit of the program's output.

    texts: of the vocabulary: `d_vocab` tokens of the program, then its output values, and for numbers one that is always 0.
    """

    planted: Planted
    model: Model
    texts: tuple[str, ...]
    sharpness: float

    @property
    def text_of(self) -> dict[Token, str]:
        """Token of the program -> its text in the vocabulary."""
        return dict(zip(token_order(self.planted.original), self.texts, strict=False))

    @property
    def config(self) -> dict[str, Any]:
        """`config.json`."""
        spec = self.model.spec
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "activation_function": "gelu_new",
            "n_layer": spec.n_layers,
            "n_head": spec.n_heads,
            "n_embd": spec.d_model,
            "n_inner": None if spec.d_mlp == 4 * spec.d_model else spec.d_mlp,
            "n_positions": spec.n_ctx,
            "n_ctx": spec.n_ctx,  # TransformerLens reads it
            "vocab_size": spec.d_vocab,
            "layer_norm_epsilon": EPSILON,
            "tie_word_embeddings": False,
            "attn_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "resid_pdrop": 0.0,
            "bos_token_id": None,
            "eos_token_id": None,
            "dtype": "float32",
        }

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Under their names in `transformers`, in float32: what the checkpoint holds."""
        named = tensors_of(FAMILIES["gpt2"], self.config, self.model)
        return {name: tensor.to(torch.float32) for name, tensor in named.items()}

    @property
    def read_back(self) -> Model:
        """The model of the checkpoint: float32 weights, as float64."""
        return model_of(FAMILIES["gpt2"], self.config, self.tensors, dtype=torch.float64)


def gpt2_of(
    compiled: Compiled,
    *,
    layers: int | None = None,
    heads: int | None = None,
    d_model: int | None = None,
    d_mlp: int | None = None,
    seed: int = 0,
    slots: Mapping[str, str] | None = None,
) -> Gpt2Host:
    """Plants a causal program in a GPT-2.

    layers, heads: by default the program's own; its heads and MLPs then keep their places, and only slots that the program
    leaves empty hold distractors. d_model: by default 64 a head, as in every GPT-2, where layers or heads are given; else what
    the program needs. d_mlp: by default four times that, the only size that TransformerLens loads. slots: as of `plant`.

    Errors: TC160 (a size, or a program that is not causal), TC161 (slots).
    """
    own = compiled.model.spec
    if not own.causal or compiled.model.weights.b_unembed is not None:
        raise user_error("TC160.causal", got=own, program=compiled.program.name)
    at_home = layers is None and heads is None
    layers, heads = layers or own.n_layers, heads or own.n_heads
    if at_home and slots is None:
        slots = {name: name for stage in components(compiled.model) for name in stage}
    wide = _width(own, heads, d_model, at_home=at_home)
    planted = plant(
        for_float32(compiled),
        layers=layers,
        heads=heads,
        d_model=wide - APART,
        d_head=wide // heads,
        d_mlp=d_mlp or max(4 * wide, own.d_mlp),
        seed=seed,
        slots=slots,
        crowded=at_home,
    )
    return _with_norms(replace(planted, original=compiled), wide, Draw.of(seed + 1))


def _width(own: ModelSpec, heads: int, d_model: int | None, *, at_home: bool) -> int:
    """The width of the stream: a multiple of the heads, each at least as wide as the program's."""
    least = max(own.d_model + 1 + APART, heads * own.d_head)
    if d_model is not None:
        if d_model < least or d_model % heads:
            raise user_error("TC160.width", got=d_model, least=least, heads=heads)
        return d_model
    usual = 2 * own.d_model + APART if at_home else D_HEAD * heads
    return math.ceil(max(usual, least) / heads) * heads


def _with_norms(planted: Planted, wide: int, draw: Draw) -> Gpt2Host:
    own, w, compiled = planted.model.spec, planted.model.weights, planted.original
    texts = vocabulary(compiled)
    spec = replace(
        own, d_model=wide, d_vocab=len(texts), d_out=len(texts), norm="layernorm", norm_eps=EPSILON,
        activation="gelu_tanh",
    )  # fmt: skip
    frame = frame_of(own.d_model, wide, draw)
    sharp = 1 / sharp_temperature(len(texts)) / _range(planted)
    assert w.pos is not None
    pos = w.pos @ frame
    pos[:, -2], pos[:, -1] = BALLAST, -BALLAST
    tok, unembed = torch.zeros(len(texts), wide), torch.zeros(wide, len(texts))
    tok, unembed = tok.double(), unembed.double()
    tok[: own.d_vocab] = w.tok @ frame
    unembed[:, own.d_vocab : own.d_vocab + own.d_out] = sharp * frame.T @ w.unembed
    n, gain = own.n_layers, torch.full((wide,), BALLAST * math.sqrt(2 / wide), dtype=torch.float64)
    weights = Weights(
        tok=tok, pos=pos, unembed=unembed,
        **{f"w_{port}": frame.T @ getattr(w, f"w_{port}") for port in "qkv"},
        **{f"b_{port}": getattr(w, f"b_{port}") for port in "qkv"},
        w_o=w.w_o @ frame, b_o=w.b_o @ frame,
        w_in=STEEP * frame.T @ w.w_in, b_in=STEEP * w.b_in,
        w_out=w.w_out @ frame / STEEP, b_out=w.b_out @ frame,
        norm1_gain=gain.repeat(n, 1), norm2_gain=gain.repeat(n, 1), norm_gain=gain,
        norm1_bias=torch.zeros(n, wide, dtype=torch.float64), norm2_bias=torch.zeros(n, wide, dtype=torch.float64),
        norm_bias=torch.zeros(wide, dtype=torch.float64),
    )  # fmt: skip
    return Gpt2Host(planted=planted, model=Model(spec, weights), texts=texts, sharpness=sharp)


def frame_of(n: int, wide: int, draw: Draw) -> Float[Tensor, "n wide"]:
    """E: n random orthonormal rows, orthogonal to the vector of ones and zero in the last two coordinates."""
    rows = draw.normal(wide - 2, n)
    q, _ = torch.linalg.qr(rows - rows.mean(0))
    return torch.cat([q.T, q.new_zeros(n, 2)], 1)


def _range(planted: Planted) -> float:
    """Of a numerical output, from its decoded values; 1 for one-hot scores, and where the number is constant."""
    compiled = planted.original
    if compiled.categorical:
        return 1.0
    values = [v for x in compiled.domain.inputs for v in compiled.interpret(x) if v is not None]
    return float(max(values, default=1) - min(values, default=0)) or 1.0


# The vocabulary ----------------------------------------------------------------------------------------

NUMBER, ZERO = "=number", "=zero"


def vocabulary(compiled: Compiled) -> tuple[str, ...]:
    """Texts without spaces, all different: of every token by its id, then `=` and the value for every output."""
    values = compiled.output_values
    outputs = [NUMBER, ZERO] if values is None else [f"={_text(value)}" for value in values]
    return _distinct([*map(_text, token_order(compiled)), *outputs])


def token_order(compiled: Compiled) -> list[Token]:
    """The program's tokens by their ids."""
    return sorted(compiled.token_ids, key=compiled.token_ids.__getitem__)


def _text(value: Any) -> str:
    return "_".join(str(value).split()) or "_"


def _distinct(texts: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for text in texts:
        taken = sum(other == text or other.startswith(f"{text}#") for other in found)
        found.append(f"{text}#{taken + 1}" if text in found else text)
    return tuple(found)


def program_model(model: Model, n_tokens: int, n_outputs: int, sharpness: float) -> Model:
    """The GPT-2 with the program's outputs in place of logits: the same graph, and what the program's truth speaks about.

    Tokens of the vocabulary that are output values are left out.
    """
    w = model.weights
    columns = w.unembed[:, n_tokens : n_tokens + n_outputs] / sharpness
    weights = replace(w, tok=w.tok[:n_tokens].contiguous(), unembed=columns.contiguous())
    return Model(replace(model.spec, d_vocab=n_tokens, d_out=n_outputs), weights)
