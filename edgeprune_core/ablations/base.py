"""What a cut edge carries.

To add an ablation: a frozen record with `name` and `background`, in a file of its own, and a row in the table
of `__init__.py`.
"""

from __future__ import annotations

from typing import Protocol

from jaxtyping import Bool, Float, Int
from torch import Tensor

from edgeprune_core.weights import Model


class Ablation(Protocol):
    """`background` gives every writer's replacement on a batch, or None for zeros."""

    @property
    def name(self) -> str: ...

    def background(
        self,
        model: Model,
        corrupted: Int[Tensor, "batch pos"],
        valid: Bool[Tensor, "batch pos"],
    ) -> Float[Tensor, "writer batch pos d_model"] | None: ...
