"""An ablation: what a cut edge carries.

To add an ablation: a frozen record that subclasses `Ablation`, in a file of its own, and a row in the table of
`__init__.py`. Only `name` and `background` are needed; the rest has defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from edgeprune_core.weights import Model


class Ablation(Protocol):
    """The engine, the truth and every command use an ablation through these members only."""

    @property
    def name(self) -> str: ...

    @property
    def paired(self) -> bool:
        """Whether it depends on a corrupted input: a setting then judges pairs of inputs instead of inputs."""
        return False

    @property
    def interchange(self) -> bool:
        """Whether a cut edge carries exactly what its writer writes on the corrupted input.

        A task then reads its stored run of the model instead of calling `background`.
        """
        return False

    @property
    def within_span(self) -> bool:
        """Whether a cut edge carries a combination of what its writer can write.

        A certificate can then rule edges out by the weights alone. False is always safe, and slower.
        """
        return False

    def of(self, model: Model, inputs: Sequence[Int[Tensor, "batch pos"]]) -> Self:
        """This ablation for a model and its reference inputs, tensors of one length each."""
        return self

    def to(self, dtype: torch.dtype) -> Self:
        """The same in another precision."""
        return self

    def background(
        self,
        model: Model,
        corrupted: Int[Tensor, "batch pos"],
        valid: Bool[Tensor, "batch pos"],
    ) -> Float[Tensor, "writer batch pos d_model"] | None:
        """Every writer's replacement on a batch; None for zeros. It must not depend on the rest of the batch."""
        ...
