"""A metric: one column of a faithfulness matrix.

To add a metric: a frozen record that subclasses `Metric`, in a file of its own, and a row in the table of
`__init__.py`. Only `name` and `__call__` are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from jaxtyping import Bool, Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from edgeprune_core.task import Task


class Metric(Protocol):
    """One number per circuit and item. Cells show its mean over items."""

    @property
    def name(self) -> str:
        """As in JSON."""
        ...

    @property
    def label(self) -> str:
        """As in tables, with the unit."""
        return self.name

    @property
    def rescaled(self) -> bool:
        """Whether cells show (m - m of the empty circuit) / (m of the model - m of the empty circuit), of means m."""
        return False

    def __call__(
        self,
        task: Task,
        outputs: Float[Tensor, "circuit item place d_out"],
        items: Int[Tensor, "item 2"],
    ) -> Float[Tensor, "circuit item"]:
        """outputs: of masked models on these items of the task."""
        ...


def mean_scored(
    x: Float[Tensor, "circuit item place"], scored: Bool[Tensor, "item place"]
) -> Float[Tensor, "circuit item"]:
    """The mean over each item's scored positions."""
    return (x * scored).sum(-1) / scored.sum(-1).clamp_min(1)
