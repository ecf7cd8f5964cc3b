"""Weights: every tensor of a model, stacked over layers, checked for shape, and kept as safetensors.

Axis words: `layer head kv_head d_model d_head d_mlp vocab ctx d_out`.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from edgeprune_core.error_codes import user_error
from edgeprune_core.spec import ModelSpec

FORMAT = "edgeprune_core.model/1"


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """All tensors of a model. Those that a spec does not use are None.

    Projections act on the right: `x @ w + b`. `b_o` is the attention output's bias, which belongs to no
    head; `b_out` is part of what the MLP writes.
    """

    tok: Tensor  # vocab d_model
    pos: Tensor | None = None  # ctx d_model
    w_q: Tensor  # layer head d_model d_head
    b_q: Tensor  # layer head d_head
    w_k: Tensor  # layer kv_head d_model d_head
    b_k: Tensor
    w_v: Tensor
    b_v: Tensor
    w_o: Tensor  # layer head d_head d_model
    b_o: Tensor  # layer d_model
    w_in: Tensor  # layer d_model d_mlp
    b_in: Tensor  # layer d_mlp
    w_gate: Tensor | None = None  # layer d_model d_mlp
    w_out: Tensor  # layer d_mlp d_model
    b_out: Tensor  # layer d_model
    norm1_gain: Tensor | None = None  # layer d_model, before attention
    norm1_bias: Tensor | None = None
    norm2_gain: Tensor | None = None  # layer d_model, before the MLP
    norm2_bias: Tensor | None = None
    norm_gain: Tensor | None = None  # d_model, before the unembedding
    norm_bias: Tensor | None = None
    unembed: Tensor  # d_model d_out
    b_unembed: Tensor | None = None  # d_out

    def norm1(self, layer: int) -> tuple[Tensor | None, Tensor | None]:
        """Gain and bias of the norm before this layer's attention; None where there is none."""
        return _at(self.norm1_gain, layer), _at(self.norm1_bias, layer)

    def norm2(self, layer: int) -> tuple[Tensor | None, Tensor | None]:
        """Gain and bias of the norm before this layer's MLP."""
        return _at(self.norm2_gain, layer), _at(self.norm2_bias, layer)

    def tensors(self) -> dict[str, Tensor]:
        return {f.name: t for f in fields(self) if (t := getattr(self, f.name)) is not None}

    def to(self, *args, **kwargs) -> Weights:
        """As `Tensor.to`, for every tensor."""
        return replace(self, **{name: t.to(*args, **kwargs) for name, t in self.tensors().items()})


def _at(stacked: Tensor | None, layer: int) -> Tensor | None:
    return None if stacked is None else stacked[layer]


def expected_shapes(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """The tensors a spec calls for, each with its shape."""
    n, d, h, kv, e, m = spec.n_layers, spec.d_model, spec.n_heads, spec.n_kv_heads, spec.d_head, spec.d_mlp
    shapes: dict[str, tuple[int, ...]] = {
        "tok": (spec.d_vocab, d),
        "w_q": (n, h, d, e),
        "b_q": (n, h, e),
        "w_k": (n, kv, d, e),
        "b_k": (n, kv, e),
        "w_v": (n, kv, d, e),
        "b_v": (n, kv, e),
        "w_o": (n, h, e, d),
        "b_o": (n, d),
        "w_in": (n, d, m),
        "b_in": (n, m),
        "w_out": (n, m, d),
        "b_out": (n, d),
        "unembed": (d, spec.d_out),
    }
    if spec.positions == "learned":
        shapes["pos"] = (spec.n_ctx, d)
    if spec.gated_mlp:
        shapes["w_gate"] = (n, d, m)
    if spec.norm in ("layernorm", "rmsnorm"):
        shapes |= {"norm1_gain": (n, d), "norm2_gain": (n, d), "norm_gain": (d,)}
    if spec.norm == "layernorm":
        shapes |= {"norm1_bias": (n, d), "norm2_bias": (n, d), "norm_bias": (d,)}
    return shapes


@dataclass(frozen=True, eq=False)
class Model:
    """A spec and weights that fit it: checked once, here, for names, shapes, one dtype and finite values."""

    spec: ModelSpec
    weights: Weights

    def __post_init__(self) -> None:
        tensors = self.weights.tensors()
        wanted = expected_shapes(self.spec)
        if missing := sorted(set(wanted) - set(tensors)):
            raise user_error("EP131.model", got=sorted(tensors), wanted=missing)
        if surplus := sorted(set(tensors) - set(wanted) - {"b_unembed"}):
            raise user_error("EP132.model", got=surplus, wanted=sorted(wanted))
        if "b_unembed" in tensors:
            wanted["b_unembed"] = (self.spec.d_out,)
        for name, shape in wanted.items():
            if tuple(tensors[name].shape) != shape:
                raise user_error("EP133", got=tuple(tensors[name].shape), wanted=shape, name=name)
        if len(kinds := {t.dtype for t in tensors.values()}) > 1:
            raise user_error("EP134", got=sorted(map(str, kinds)))
        for name, t in tensors.items():
            if not torch.isfinite(t).all():
                raise user_error("EP135", got="NaN or infinity", name=name)

    def to(self, *args, **kwargs) -> Model:
        return Model(self.spec, self.weights.to(*args, **kwargs))

    @property
    def dtype(self) -> torch.dtype:
        return self.weights.tok.dtype

    @property
    def device(self) -> torch.device:
        return self.weights.tok.device

    def digest(self) -> str:
        """A hash of spec and weights, as hex: equal for equal models on any machine."""
        h = hashlib.sha256(json.dumps(self.spec.to_json(), sort_keys=True).encode())
        for name, t in sorted(self.weights.tensors().items()):
            h.update(name.encode())
            h.update(t.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return h.hexdigest()

    def save(self, path: str | Path) -> None:
        """Writes one safetensors file, spec included; the file appears whole or not at all."""
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        tensors = {k: t.contiguous() for k, t in self.weights.tensors().items()}
        save_file(tensors, partial, metadata={"format": FORMAT, "spec": json.dumps(self.spec.to_json())})
        os.replace(partial, path)

    @classmethod
    def load(cls, path: str | Path) -> Model:
        try:
            with safe_open(path, framework="pt") as file:
                meta = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise user_error("EP136.unreadable", where=path, got=error) from None
        if meta.get("format") != FORMAT:
            raise user_error("EP136.format", where=path, got=meta.get("format"), wanted=FORMAT)
        known = {f.name for f in fields(Weights)}
        if surplus := sorted(set(tensors) - known):
            raise user_error("EP132.file", where=path, got=surplus, wanted=sorted(known))
        spec = ModelSpec.from_json(json.loads(meta["spec"]))
        if missing := sorted(set(expected_shapes(spec)) - set(tensors)):
            raise user_error("EP131.file", where=path, got=sorted(tensors), wanted=missing)
        return cls(spec, Weights(**tensors))
