"""The oracle route: Tracr's Haiku parameters, and the JAX forward as a second opinion on every activation.

All of it in float64. In float32, as Tracr runs it, the steep MLPs of a correct program turn a rounding difference of
1e-7 into one of 1e-4, which no bound tells from a fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model, Weights
from tracrcheck.compiler.compile import build
from tracrcheck.compiler.one_order import one_order
from tracrcheck.program import BOS, PAD, Program

if TYPE_CHECKING:
    from tracr.compiler.assemble import AssembledTransformerModel


@dataclass(frozen=True, eq=False)
class Oracle:
    """Tracr's own compiled model, and the same parameters in torch, both in float64."""

    assembled: AssembledTransformerModel
    model: Model

    def residuals(self, tokens: torch.Tensor) -> list[torch.Tensor]:
        """JAX's residual stream, `input pos d_model`: after the embeddings and after every half-layer.

        It is compiled once per shape of `tokens`, which takes longer than running it.
        """

        with in_float64(), one_order():
            found = self._forward(self.assembled.params, tokens.numpy()).transformer_output
            return [torch.tensor(np.asarray(x)) for x in (found.input_embeddings, *found.residuals)]

    @cached_property
    def _forward(self) -> Any:
        """Tracr's forward pass with the attention mask that it leaves out: no query looks at padding."""
        import haiku as hk
        import jax

        def forward(tokens: Any) -> Any:
            model = self.assembled.get_compiled_model()
            encoder = self.assembled.input_encoder
            assert encoder is not None
            model.pad_token = encoder.pad_encoding
            return model(tokens, use_dropout=False)

        transformed: Any = hk.without_apply_rng(hk.transform(forward))
        return jax.jit(transformed.apply)


def in_float64() -> Any:
    """A context in which JAX computes in float64. Before JAX 0.8 it was experimental."""
    import jax
    import jax.experimental

    home: Any = jax if hasattr(jax, "enable_x64") else jax.experimental
    return home.enable_x64(True)


def compile_by_haiku(program: Program) -> Oracle:
    """Program -> Haiku parameters -> torch. Takes a second; `compile_program` takes milliseconds."""
    from tracr.compiler import compiling

    with in_float64(), one_order(), _initialised_with_zeros():
        assembled = compiling.compile_rasp_to_model(
            build(program),
            set(program.vocab),
            program.max_seq_len,
            causal=program.causal,
            compiler_bos=BOS,
            compiler_pad=PAD,
            mlp_exactness=program.mlp_exactness,
        )
        return Oracle(assembled, _to_torch(assembled))


@contextmanager
def _initialised_with_zeros() -> Iterator[None]:
    """Haiku's `init` makes zeros, in one XLA program.

    Tracr needs only the shapes: it overwrites every parameter of the transformer, and embeddings are constants. Left
    alone, `init` draws random weights and runs the model one operation at a time, with an XLA program for each.
    """
    import haiku as hk
    import jax

    transform, drawn = hk.transform, hk.initializers.VarianceScaling

    def with_one_program(f: Any, **options: Any) -> Any:
        made = transform(f, **options)
        return hk.Transformed(init=jax.jit(made.init), apply=made.apply)

    def zeros(*_: Any, **__: Any) -> Any:
        return hk.initializers.Constant(0.0)

    vars(hk)["transform"], vars(hk.initializers)["VarianceScaling"] = with_one_program, zeros
    try:
        yield
    finally:
        vars(hk)["transform"], vars(hk.initializers)["VarianceScaling"] = transform, drawn


def _to_torch(assembled: AssembledTransformerModel) -> Model:
    config, params = assembled.model_config, assembled.params
    n, h, e = config.num_layers, config.num_heads, config.key_size

    def stacked(module: str, name: str) -> np.ndarray:
        return np.stack([np.asarray(params[f"transformer/layer_{i}/{module}"][name]) for i in range(n)])

    def heads_last(module: str) -> np.ndarray:  # layer d_model (head d_head) -> layer head d_model d_head
        return stacked(f"attn/{module}", "w").reshape(n, -1, h, e).transpose(0, 2, 1, 3)

    def bias(module: str) -> np.ndarray:
        return stacked(f"attn/{module}", "b").reshape(n, h, e)

    tok, pos = np.asarray(params["token_embed"]["embeddings"]), np.asarray(params["pos_embed"]["embeddings"])
    unembed = _unembedding(assembled, tok.shape[1])
    arrays = {
        "tok": tok,
        "pos": pos,
        "w_q": heads_last("query"),
        "b_q": bias("query"),
        "w_k": heads_last("key"),
        "b_k": bias("key"),
        "w_v": heads_last("value"),
        "b_v": bias("value"),
        "w_o": stacked("attn/linear", "w").reshape(n, h, e, -1),
        "b_o": stacked("attn/linear", "b"),
        "w_in": stacked("mlp/linear_1", "w"),
        "b_in": stacked("mlp/linear_1", "b"),
        "w_out": stacked("mlp/linear_2", "w"),
        "b_out": stacked("mlp/linear_2", "b"),
        "unembed": unembed,
    }
    spec = ModelSpec(
        n_layers=n,
        n_heads=h,
        d_model=tok.shape[1],
        d_head=e,
        d_mlp=arrays["w_in"].shape[2],
        d_vocab=len(tok),
        d_out=unembed.shape[1],
        n_ctx=len(pos),
        causal=config.causal,
    )
    return Model(spec, Weights(**{k: torch.tensor(a, dtype=torch.float64) for k, a in arrays.items()}))


def _unembedding(assembled: AssembledTransformerModel, d_model: int) -> np.ndarray:
    """Tracr's unembedding is a function, not a parameter: read off as what it does to the identity."""
    import haiku as hk
    import jax

    def unembed(x):
        return assembled.get_compiled_model().unembed(x, use_unembed_argmax=False)

    matrix = np.asarray(hk.transform(unembed).apply({}, jax.random.PRNGKey(0), np.eye(d_model)))
    return matrix.reshape(d_model, -1)
