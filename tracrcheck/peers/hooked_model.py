"""A compiled program's model as a HookedTransformer of TransformerLens.

Three things differ between our model and what other tools expect of one:

    pos         The position embedding is a writer of our graph and of no tool's: EAP-IG cuts `hook_embed` alone,
                AutoCircuit both embeddings at once. So the position table holds a one-hot code in directions of the
                stream that only a front layer reads; the MLP of that layer turns the code into the position embedding,
                and its heads are zero. Then the front MLP is `pos`, and layer l is layer l + 1.
    one head    The gradient hook of EAP-IG drops an axis if a layer has one head. A head of zeros beside it writes nothing.
    padding     TransformerLens ignores padding in bidirectional attention. A permanent hook masks it.

Outputs are those of our engine up to rounding, and so are those of every edge that is cut.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformer_lens import HookedTransformer, HookedTransformerConfig

from edgeprune_core.task import Task
from edgeprune_core.weights import Weights


class HookedProgram(HookedTransformer):
    """Takes token ids where others take text, and masks padding in bidirectional attention too."""

    pad: int | None = None
    _padding: Tensor | None = None

    def to_tokens(self, input: Any, *args: Any, **kwargs: Any) -> Tensor:
        return input if isinstance(input, Tensor) else torch.stack(list(input))

    def forward(self, input: Any, *args: Any, **kwargs: Any) -> Any:
        tokens = kwargs.get("tokens") if input.is_floating_point() else input
        if tokens is not None and self.pad is not None:
            self._padding = (tokens == self.pad)[:, None, None, :]
        return super().forward(input, *args, **kwargs)

    def mask_padding(self, tensor: Tensor, *, hook: Any) -> Tensor:
        return tensor if self._padding is None else tensor.masked_fill(self._padding, float("-inf"))


def hooked_model(task: Task, *, split_pos: bool, n_heads: int, dtype: torch.dtype) -> HookedProgram:
    """The task's model, which `peer.py` has found to be of a kind that can be carried over."""
    size = _Size.of(task, front=int(split_pos), n_heads=n_heads)
    config = HookedTransformerConfig(**arguments(task, size), device=str(task.model.device), dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # HookedTransformer goes in 4.0, which is refused
        model = HookedProgram(config, move_to_device=False)
    _fill(model.state_dict(), task.model.weights, size)
    model.to(task.model.device, print_details=False)
    model.pad = _pad(task)
    tokenizer: Any = SimpleNamespace(
        padding_side="right", pad_token_id=-1 if model.pad is None else model.pad, pad_token=None,
        bos_token_id=int(task.tokens[0, 0]), eos_token_id=-1,
    )  # fmt: skip
    model.tokenizer = tokenizer
    for block in model.blocks:
        block.attn.hook_attn_scores.add_hook(model.mask_padding, is_permanent=True)
    return model


def arguments(task: Task, size: _Size) -> dict[str, Any]:
    """Those of the HookedTransformerConfig, without device and dtype."""
    spec = task.model.spec
    return {
        "n_layers": spec.n_layers + size.front, "n_heads": size.n_heads, "d_model": spec.d_model + size.code,
        "d_head": spec.d_head, "d_mlp": size.d_mlp, "d_vocab": spec.d_vocab, "d_vocab_out": spec.d_out,
        "n_ctx": spec.n_ctx, "act_fn": "relu", "normalization_type": None, "positional_embedding_type": "standard",
        "attention_dir": "causal" if spec.causal else "bidirectional", "use_attn_scale": True,
        "use_attn_result": True, "use_split_qkv_input": True, "use_hook_mlp_in": True,
        "default_prepend_bos": False, "init_weights": False, "seed": None,
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class LensFile:
    """A model as safetensors, under the names of TransformerLens; `config` of its metadata are the arguments of
    HookedTransformerConfig as JSON, and `dtype` is a name in torch."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]

    def save(self, path: Path) -> None:
        """The file appears whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        save_file(
            {name: t.contiguous() for name, t in self.tensors.items()}, partial, metadata=dict(self.metadata)
        )
        os.replace(partial, path)


def lens_file(task: Task) -> LensFile:
    """The model that `hooked` makes by default."""
    n_heads = max(task.graph.n_heads, 2)
    model = hooked_model(task, split_pos=True, n_heads=n_heads, dtype=task.model.dtype)
    config = arguments(task, _Size.of(task, front=1, n_heads=n_heads))
    metadata = {"config": json.dumps(config), "dtype": str(task.model.dtype).removeprefix("torch.")}
    return LensFile(tensors=model.state_dict(), metadata=metadata)


def _pad(task: Task) -> int | None:
    pads = task.tokens[~task.valid]
    return int(pads[0]) if len(pads) else None


@dataclass(frozen=True)
class _Size:
    """front: 1 if there is a front layer. code: directions of the position code. d_mlp: of every layer."""

    front: int
    code: int
    d_model: int
    d_mlp: int
    n_heads: int

    @classmethod
    def of(cls, task: Task, *, front: int, n_heads: int) -> _Size:
        spec = task.model.spec
        code = spec.n_ctx if front else 0
        return cls(front, code, spec.d_model, max(spec.d_mlp, code), n_heads)


@torch.no_grad()
def _fill(state: dict[str, Tensor], weights: Weights, size: _Size) -> None:
    """Writes the weights in place; what they do not reach is zero."""
    for name, tensor in state.items():
        if not name.endswith((".mask", ".IGNORE")):  # constants of TransformerLens
            tensor.zero_()
    d, code = size.d_model, size.code
    state["embed.W_E"][:, :d] = weights.tok
    assert weights.pos is not None
    if code:
        state["pos_embed.W_pos"][:, d:] = torch.eye(code)
        state["blocks.0.mlp.W_in"][d:, :code] = torch.eye(code)
        state["blocks.0.mlp.W_out"][:code, :d] = weights.pos
    else:
        state["pos_embed.W_pos"][:] = weights.pos
    for layer in range(len(weights.w_q)):
        _fill_layer(state, f"blocks.{layer + size.front}.", weights, layer, d)
    state["unembed.W_U"][:d] = weights.unembed
    if weights.b_unembed is not None:
        state["unembed.b_U"][:] = weights.b_unembed


def _fill_layer(state: dict[str, Tensor], at: str, w: Weights, layer: int, d: int) -> None:
    heads, hidden = w.w_q.shape[1], w.w_in.shape[2]
    for port, weight, bias in (("Q", w.w_q, w.b_q), ("K", w.w_k, w.b_k), ("V", w.w_v, w.b_v)):
        state[f"{at}attn.W_{port}"][:heads, :d] = weight[layer]
        state[f"{at}attn.b_{port}"][:heads] = bias[layer]
    state[f"{at}attn.W_O"][:heads, :, :d] = w.w_o[layer]
    state[f"{at}attn.b_O"][:d] = w.b_o[layer]
    state[f"{at}mlp.W_in"][:d, :hidden] = w.w_in[layer]
    state[f"{at}mlp.b_in"][:hidden] = w.b_in[layer]
    state[f"{at}mlp.W_out"][:hidden, :d] = w.w_out[layer]
    state[f"{at}mlp.b_out"][:d] = w.b_out[layer]
