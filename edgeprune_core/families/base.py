"""A model family: what its `transformers` configuration means, and a table from its tensor names to ours and back.

To add a family: a file here named for its `model_type`, with a frozen record of this Protocol, and a row in the
table of `__init__.py`. The contract suite (`tests/edgeprune_core/families/`) then holds its logits to those of `transformers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from edgeprune_core.error_codes import unknown_name, user_error
from edgeprune_core.spec import Activation, ModelSpec

Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: a tensor of `transformers`, and the tensors of `Weights` that it contains.

    theirs: its name in the language model; `{layer}` stands for each layer's number.
    ours:   names in `Weights`; of one layer of them, where `theirs` has `{layer}`.
    read:   theirs -> ours, a tensor for each name. write: its inverse.
    """

    theirs: str
    ours: tuple[str, ...]
    read: Callable[[Tensor], tuple[Tensor, ...]]
    write: Callable[..., Tensor]

    def shape(self, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
        """The shape of one such tensor, from those of ours."""
        skip = 1 if "{layer}" in self.theirs else 0
        return tuple(
            self.write(*(torch.empty(shapes[name][skip:], device="meta") for name in self.ours)).shape
        )


class Family(Protocol):
    """model_type: as in `config.json`. body: the prefix of every name but the head's; a bare body lacks it.

    buffers: endings of names that old checkpoints hold and that are no weights.
    tied:    whether the unembedding is the token embedding.
    """

    @property
    def model_type(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def buffers(self) -> tuple[str, ...]: ...
    def tied(self, config: Config) -> bool: ...
    def spec(self, config: Config) -> ModelSpec: ...
    def rows(self, spec: ModelSpec, config: Config) -> tuple[Row, ...]: ...


HEAD = "lm_head.weight"


def as_is(theirs: str, ours: str) -> Row:
    """The same numbers in the same places."""
    return Row(theirs, (ours,), lambda t: (t,), lambda t: t)


def transposed(theirs: str, ours: str) -> Row:
    """A `torch.nn.Linear`, which keeps `out in` where we keep `in out`."""
    return Row(theirs, (ours,), lambda t: (t.T,), lambda t: t.T)


def required(config: Config, name: str) -> int:
    """A size that a configuration must have. Errors: EP172."""
    if name not in config:
        raise user_error("EP172.missing", got=sorted(config), name=name)
    return size(name, config[name])


def optional(config: Config, name: str, default: int) -> int:
    """A size that a configuration may omit or set to null. Errors: EP172."""
    return default if config.get(name) is None else size(name, config[name])


def size(name: str, value: Any) -> int:
    """Errors: EP172, where a field is no size."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise user_error("EP172.size", got=repr(value), name=name)
    return value


def epsilon(config: Config, name: str, default: float) -> float:
    """The epsilon that a norm adds to the variance. Errors: EP172."""
    value = config.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise user_error("EP172.number", got=repr(value), name=name)
    return value


def refuse(config: Config, name: str, computed: Any, default: Any) -> None:
    """An option of which we support one value only. Errors: EP172."""
    if (got := config.get(name, default)) != computed:
        raise user_error("EP172.option", got=got, name=name, computed=computed)


_ACTIVATIONS: dict[str, Activation] = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}


def activation(name: str) -> Activation:
    """Our name of an activation in `transformers.activations`. Errors: EP172."""
    if name not in _ACTIVATIONS:
        raise unknown_name("EP172.activation", name, _ACTIVATIONS)
    return _ACTIVATIONS[name]
