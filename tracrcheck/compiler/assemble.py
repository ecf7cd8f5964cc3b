"""From a craft model to torch weights: `tracr.compiler.assemble.assemble_craft_model`, without Haiku.

The arithmetic and the order of directions are Tracr's, so the weights are equal bit for bit; `cross_check` compares them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tracr.compiler import nodes
from tracr.craft import bases, transformers, vectorspace_fns

from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model, Weights
from tracrcheck.compiler.craft import Craft, layers_of
from tracrcheck.compiler.unsupported import refusal


def assemble(craft: Craft) -> Model:
    """The craft model as a torch model (float64). Errors: TC324 (a head that moves more values than fit)."""
    tok, pos, unembed = _embeddings(craft)
    blocks = _blocks(craft)
    n, n_heads, _, d_head = blocks["w_q"].shape
    spec = ModelSpec(
        n_layers=n,
        n_heads=n_heads,
        d_model=tok.shape[1],
        d_head=d_head,
        d_mlp=blocks["w_in"].shape[2],
        d_vocab=len(tok),
        d_out=unembed.shape[1],
        n_ctx=len(pos),
        causal=craft.program.causal,
    )
    per_head, per_layer = np.zeros((n, n_heads, d_head)), np.zeros((n, spec.d_model))
    biases = {
        **dict.fromkeys(("b_q", "b_k", "b_v"), per_head),
        **dict.fromkeys(("b_o", "b_out"), per_layer),
        "b_in": np.zeros((n, spec.d_mlp)),
    }
    arrays = {"tok": tok, "pos": pos, "unembed": unembed, **blocks, **biases}
    return Model(spec, Weights(**{k: torch.tensor(a, dtype=torch.float64) for k, a in arrays.items()}))


def _embeddings(craft: Craft) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of tokens, of positions (BOS first), and the unembedding."""
    tok = vectorspace_fns.project(craft.tokens, craft.stream).matrix.copy()
    one = bases.BasisDirection("one")
    if one in craft.stream:
        tok[:, craft.stream.basis.index(one)] += 1
    pos = vectorspace_fns.project(craft.indices, craft.stream).matrix
    pos = np.concatenate([np.zeros((1, pos.shape[1])), pos])
    return tok, pos, vectorspace_fns.project(craft.stream, craft.output).matrix


def _blocks(craft: Craft) -> dict[str, np.ndarray]:
    """The weights of attention and MLPs, each padded with zeros to the largest."""
    blocks = craft.model.blocks
    layers = layers_of([isinstance(b, transformers.MLP) for b in blocks])
    heads = [list(b.as_multi().heads()) for b in blocks if not isinstance(b, transformers.MLP)]
    mlps = [b for b in blocks if isinstance(b, transformers.MLP)]
    n_heads = max((len(h) for h in heads), default=1)
    d_head = max((max(h.w_qk.matrix.shape) for hs in heads for h in hs), default=1)
    d_mlp = max((m.fst.output_space.num_dims for m in mlps), default=1)
    d, n = craft.stream.num_dims, layers[-1] + 1

    def into(space: bases.VectorSpaceWithBasis) -> np.ndarray:
        return vectorspace_fns.project(craft.stream, space).matrix

    w: dict[str, Any] = {name: np.zeros((n, n_heads, d, d_head)) for name in ("w_q", "w_k", "w_v")}
    w |= {
        "w_o": np.zeros((n, n_heads, d_head, d)),
        "w_in": np.zeros((n, d, d_mlp)),
        "w_out": np.zeros((n, d_mlp, d)),
    }
    for layer, block in zip(layers, blocks, strict=True):
        if isinstance(block, transformers.MLP):
            hidden = block.fst.output_space.num_dims
            w["w_in"][layer, :, :hidden] = into(block.fst.input_space) @ block.fst.matrix
            w["w_out"][layer, :hidden] = block.snd.matrix @ into(block.snd.output_space).T
            continue
        for i, head in enumerate(block.as_multi().heads()):
            keys, values = head.w_qk.matrix.shape[1], head.w_ov.matrix.shape[1]
            if values > d_head:
                got = f"a head moves {values} values with a key size of {d_head}"
                wanted = "a value set no larger than the largest query or key set"
                raise refusal("TC324", craft.program, craft.sink[nodes.EXPR], got, wanted)
            w["w_q"][layer, i, :, :keys] = into(head.w_qk.left_space) @ head.w_qk.matrix
            w["w_k"][layer, i, :, :keys] = into(head.w_qk.right_space)
            w["w_v"][layer, i, :, :values] = into(head.w_ov.input_space) @ head.w_ov.matrix
            w["w_o"][layer, i, :values] = into(head.w_ov.output_space).T
    return w
