"""A compiled program as plain arrays, and the masked forward pass on them, in NumPy.

Nothing here comes from the packages under test but the `Program` record. The weights are the Haiku
parameters of Tracr's own `compile_rasp_to_model`; the forward pass is NumPy in float64, written from
the definitions: a reader's input is the sum over the earlier writers of what the writer wrote in this
masked run where the edge is kept, and of the writer's ablated value where it is cut.

Two things make it quick, neither of which can change an answer:

* partial circuits that feed a node with the same bits on every input at hand are carried on as one (`Parts`);
* reading is linear, so what a writer wrote is multiplied by the reader's weights before it is summed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from unittest import mock

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from tracr.compiler.compiling import compile_rasp_to_model
from tracr.transformer.encoder import CategoricalEncoder

from tracrcheck import Program

BOS, PAD = "compiler_bos", "compiler_pad"
ROUNDING = 1e-9  # float64 noise of sums of a few hundred terms of size 1..100 lies far below this

Edge = tuple[str, str]  # (writer, reader)


# ---------------------------------------------------------------- the compiled model, as plain arrays


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights of one layer: `d` is the residual stream's width, `k` the key size, `h` the MLP's width."""

    q: np.ndarray  # head d k
    k: np.ndarray  # head d k
    v: np.ndarray  # head d k
    q_bias: np.ndarray  # head k
    k_bias: np.ndarray  # head k
    v_bias: np.ndarray  # head k
    o: np.ndarray  # head k d
    o_bias: np.ndarray  # d; belongs to no head, always kept
    w1: np.ndarray  # d h
    b1: np.ndarray  # h
    w2: np.ndarray  # h d
    b2: np.ndarray  # d


@dataclass(frozen=True, eq=False)
class Net:
    model: Any  # Tracr's AssembledTransformerModel
    sop: Any
    tok: np.ndarray  # token d
    pos: np.ndarray  # position d
    layers: tuple[Layer, ...]
    unembed: np.ndarray  # d out
    causal: bool
    categorical: bool

    @property
    def n_heads(self) -> int:
        return len(self.layers[0].q)


def tracrs_model(program: Program, sop: Any) -> Any:
    return compile_rasp_to_model(
        sop,
        vocab=set(program.vocab),
        max_seq_len=program.max_seq_len,
        causal=program.causal,
        compiler_bos=BOS,
        compiler_pad=PAD,
        mlp_exactness=program.mlp_exactness,
    )


def _with_one_program(
    forward: Callable, *, transform: Callable = hk.transform, **options: Any
) -> hk.Transformed:
    made = transform(forward, **options)
    return hk.Transformed(init=jax.jit(made.init), apply=made.apply)


@lru_cache(maxsize=16)
def compiled(program: Program) -> Net:
    sop = program.build()
    # Tracr draws random weights and overwrites every one of them. Zeros, made by one XLA program, take far less time.
    with (
        mock.patch("haiku.initializers.VarianceScaling", return_value=hk.initializers.Constant(0.0)),
        mock.patch("haiku.transform", _with_one_program),
    ):
        model = tracrs_model(program, sop)
    params = {k: {n: np.asarray(a, np.float64) for n, a in v.items()} for k, v in model.params.items()}
    tok = params["token_embed"]["embeddings"]
    n_heads = model.model_config.num_heads

    def layer(i: int) -> Layer:
        at, mlp = f"transformer/layer_{i}/attn", f"transformer/layer_{i}/mlp"

        def heads_last(name):  # d (head k) -> head d k
            w = params[f"{at}/{name}"]["w"]
            return w.reshape(len(w), n_heads, -1).transpose(1, 0, 2)

        def bias(name):
            return params[f"{at}/{name}"]["b"].reshape(n_heads, -1)

        o = params[f"{at}/linear"]["w"]
        return Layer(
            q=heads_last("query"),
            k=heads_last("key"),
            v=heads_last("value"),
            q_bias=bias("query"),
            k_bias=bias("key"),
            v_bias=bias("value"),
            o=o.reshape(n_heads, -1, o.shape[1]),
            o_bias=params[f"{at}/linear"]["b"],
            w1=params[f"{mlp}/linear_1"]["w"],
            b1=params[f"{mlp}/linear_1"]["b"],
            w2=params[f"{mlp}/linear_2"]["w"],
            b2=params[f"{mlp}/linear_2"]["b"],
        )

    # The unembedding is a function, not a parameter: its matrix is what it makes of the identity.
    def unembed_identity():
        return model.get_compiled_model().unembed(jnp.eye(tok.shape[1]), use_unembed_argmax=False)

    unembed = hk.without_apply_rng(hk.transform(unembed_identity)).apply(model.params)
    return Net(
        model=model,
        sop=sop,
        tok=tok,
        pos=params["pos_embed"]["embeddings"],
        layers=tuple(layer(i) for i in range(model.model_config.num_layers)),
        unembed=np.asarray(unembed, np.float64).reshape(tok.shape[1], -1),
        causal=program.causal,
        categorical=isinstance(model.output_encoder, CategoricalEncoder),
    )


def writers_and_edges(net: Net) -> tuple[list[str], list[Edge]]:
    """All writers in order, and every edge of the whole graph."""
    writers, edges = ["tok", "pos"], []
    for i in range(len(net.layers)):
        heads = [f"a{i}.h{h}" for h in range(net.n_heads)]
        edges += [(w, f"{head}.{x}") for head in heads for x in "qkv" for w in writers]
        writers += heads
        edges += [(w, f"m{i}") for w in writers]
        writers.append(f"m{i}")
    return writers, edges + [(w, "out") for w in writers]


def text(edge: Edge) -> str:
    return f"{edge[0]} -> {edge[1]}"


# ---------------------------------------------------------------- the masked forward pass


@dataclass(frozen=True, eq=False)
class Parts:
    """A value for each of many masks, stored once for all masks that share it.

    The value for mask m is `values[index[m]]`.
    """

    values: np.ndarray  # distinct input position width
    index: np.ndarray  # mask


def combine(function: Callable, left: Parts, right: Parts) -> Parts:
    """function(left value, right value) for every mask, computed once for each distinct pair."""
    width = len(right.values)
    pairs, index = np.unique(left.index * width + right.index, return_inverse=True)
    return merged(function(left.values[pairs // width], right.values[pairs % width]), index.reshape(-1))


def merged(values: np.ndarray, index: np.ndarray) -> Parts:
    """The same, with values that are equal in every bit on every input stored once."""
    bits = [value.tobytes() for value in values + 0.0]
    first: dict[bytes, int] = {}
    for at, key in enumerate(bits):
        first.setdefault(key, at)
    number = {key: n for n, key in enumerate(first)}
    return Parts(values[list(first.values())], np.array([number[key] for key in bits])[index])


def read(
    written: Mapping[str, Parts],
    ablated: Mapping[str, np.ndarray],
    keep: Mapping[Edge, np.ndarray],
    reader: str,
    *,
    weights: np.ndarray,
    constant: np.ndarray,
) -> Parts:
    """(the reader's input) @ weights + constant, for every mask. `written` holds the earlier writers."""
    (n_masks,) = next(iter(written.values())).index.shape
    n_inputs, n_positions, _ = next(iter(ablated.values())).shape
    start = np.broadcast_to(constant, (1, n_inputs, n_positions, weights.shape[1]))
    total = Parts(start, np.zeros(n_masks, int))
    for writer, parts in written.items():
        kept = keep.get((writer, reader), np.zeros(n_masks, bool))
        choices = (
            np.concatenate([ablated[writer][None], parts.values]) if kept.any() else ablated[writer][None]
        )
        choice = merged(choices @ weights, np.where(kept, parts.index + 1, 0))
        total = combine(np.add, total, choice)
    return total


def attention(net: Net, queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Softmax over key positions of the scaled logits: (... position k) twice -> (... position position)."""
    logits = queries @ keys.swapaxes(-1, -2) / np.sqrt(queries.shape[-1])
    if net.causal:
        logits = np.where(np.tril(np.ones(logits.shape[-2:], bool)), logits, -np.inf)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def run(
    net: Net,
    ids: np.ndarray,
    keep: Mapping[Edge, np.ndarray],
    ablated: Mapping[str, np.ndarray],
    n_masks: int,
) -> tuple[dict[str, Parts], Parts]:
    """What every writer wrote, and the output coordinates, under each mask.

    ids: (input position) token ids, BOS first. keep: for each edge that some mask keeps, (mask) booleans.
    ablated: for each writer, (input position d).
    """
    n_inputs, n_positions = ids.shape
    one_way = np.zeros(n_masks, int)
    pos = np.broadcast_to(net.pos[:n_positions], (n_inputs, n_positions, net.pos.shape[1]))
    written = {"tok": Parts(net.tok[ids][None], one_way), "pos": Parts(pos[None], one_way)}
    always = np.zeros(net.tok.shape[1])  # attention's output biases so far

    for i, layer in enumerate(net.layers):
        before = dict(written)
        for h in range(net.n_heads):

            def head_reads(x, matrix, bias, before=before, always=always, head=f"a{i}.h{h}"):
                constant = always @ matrix + bias
                return read(before, ablated, keep, f"{head}.{x}", weights=matrix, constant=constant)

            queries = head_reads("q", layer.q[h], layer.q_bias[h])
            keys = head_reads("k", layer.k[h], layer.k_bias[h])
            values = head_reads("v", layer.v[h], layer.v_bias[h])
            pattern = combine(lambda q, k: attention(net, q, k), queries, keys)
            mixed = combine(np.matmul, pattern, values)
            written[f"a{i}.h{h}"] = Parts(mixed.values @ layer.o[h], mixed.index)
        always = always + layer.o_bias
        constant = always @ layer.w1 + layer.b1
        hidden = read(written, ablated, keep, f"m{i}", weights=layer.w1, constant=constant)
        written[f"m{i}"] = Parts(np.maximum(hidden.values, 0) @ layer.w2 + layer.b2, hidden.index)
    out = read(written, ablated, keep, "out", weights=net.unembed, constant=always @ net.unembed)
    return written, out


def unpruned(net: Net, ids: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Every writer's output (input position d) and the output coordinates (input position out)."""
    writers, edges = writers_and_edges(net)
    nothing = {w: np.zeros((*ids.shape, net.tok.shape[1])) for w in writers}
    written, out = run(net, ids, {edge: np.ones(1, bool) for edge in edges}, nothing, 1)
    return {w: parts.values[0] for w, parts in written.items()}, out.values[0]


def decoded(net: Net, out: np.ndarray) -> np.ndarray:
    """Argmax of the coordinates; those equal but for rounding give the first, as in exact arithmetic."""
    if not net.categorical:
        return out[..., 0]
    return np.argmax(out >= out.max(axis=-1, keepdims=True) - ROUNDING, axis=-1)
