"""Weights that are stored in shards and gathered only while they are used.

The engine reads stacked tensors one layer at a time, `weights.w_q[layer]`, and other tensors whole. A `Gathered` takes
the place of a tensor: it knows the shape and fetches the values from a `Shelf` when they are read, so the engine needs no
second version. Any other use of a stacked tensor raises, rather than gathering every layer silently.

Tensors from a shelf are valid until another unit is taken, so a backward pass must recompute each layer first
(`recompute`): autograd that keeps a weight of an earlier unit would read freed memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from edgeprune_core.weights import Model, Weights

# The unit of the tensors outside the layers: embeddings, the final norm, the unembedding.
ENDS = -1
_OF_NO_LAYER = ("tok", "pos", "norm_gain", "norm_bias", "unembed", "b_unembed")


class Shelf(Protocol):
    """unit: a layer number, or ENDS."""

    def take(self, unit: int) -> Mapping[str, Tensor]:
        """The unit's tensors by their names in `Weights`, without the layer axis; frees those of any other unit."""
        ...


class Gathered(Tensor):
    """Takes the place of a tensor of `Weights`. field: its name there. stacked: it has a layer axis and is read one
    layer at a time. Values are converted to this tensor's dtype."""

    shelf: Shelf
    field: str
    stacked: bool

    @staticmethod
    def __new__(cls, shape: torch.Size, shelf: Shelf, field: str, dtype: torch.dtype, device: torch.device):
        return Tensor._make_wrapper_subclass(cls, shape, dtype=dtype, device=device)

    def __init__(
        self, shape: torch.Size, shelf: Shelf, field: str, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.shelf, self.field, self.stacked = shelf, field, field not in _OF_NO_LAYER

    def had(self, unit: int) -> Tensor:
        return self.shelf.take(unit)[self.field].to(self.dtype)

    def whole(self) -> Tensor:
        if self.stacked:
            raise RuntimeError(f"'{self.field}' is gathered a layer at a time: ask for '{self.field}[layer]'")
        return self.had(ENDS)

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in _DESCRIBING:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        first = args[0] if args else None
        if isinstance(first, Gathered):
            if func is torch.isfinite:  # `Model` checks this when it is made; the original weights passed
                return torch.ones((), dtype=torch.bool)
            if func is Tensor.to and len(args) == 2 and isinstance(args[1], torch.dtype):
                return Gathered(first.shape, first.shelf, first.field, args[1], first.device)
            if func is Tensor.__getitem__ and first.stacked and isinstance(args[1], int):
                return first.had(args[1])
        return func(*map(_whole, args), **{key: _whole(value) for key, value in kwargs.items()})

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):  # type: ignore[override]
        raise TypeError(f"{func} got a tensor that has not been gathered")


def _whole(value: Any) -> Any:
    return value.whole() if isinstance(value, Gathered) else value


# What a tensor knows without its values.
_DESCRIBING = (
    *(getattr(Tensor, name).__get__ for name in ("shape", "dtype", "device", "requires_grad", "ndim")),
    *(Tensor.dim, Tensor.size, Tensor.numel, Tensor.element_size, Tensor.__len__),
)


class GatheredModel(Model):
    """Its digest is computed one layer at a time; compare it with digests of other gathered models only."""

    def digest(self) -> str:
        h = hashlib.sha256(json.dumps(self.spec.to_json(), sort_keys=True).encode())
        assert isinstance(self.weights.tok, Gathered)
        for unit in (ENDS, *range(self.spec.n_layers)):
            for name, t in sorted(self.weights.tok.shelf.take(unit).items()):
                h.update(f"{unit} {name}".encode())
                own = (
                    t.detach().clone().cpu()
                )  # NumPy pins what it looks at, and a shelf must be able to let go
                h.update(own.view(torch.uint8).numpy().tobytes())
        return h.hexdigest()


def gathered(model: Model, shelf: Shelf, device: torch.device) -> GatheredModel:
    """A model of the same shape that fetches its tensors from the shelf, on this device, when they are used."""
    tensors = model.weights.tensors()
    far = {name: Gathered(t.shape, shelf, name, t.dtype, device) for name, t in tensors.items()}
    return GatheredModel(model.spec, Weights(**far))


def unit_of(model: Model, unit: int) -> dict[str, Tensor]:
    """The tensors of one unit, by name: views."""
    parts = {
        name: t for name, t in model.weights.tensors().items() if (name in _OF_NO_LAYER) == (unit == ENDS)
    }
    return parts if unit == ENDS else {name: t[unit] for name, t in parts.items()}
