"""The ablations by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeprune_core.lazy import Lazy, Table, exports

if TYPE_CHECKING:
    from edgeprune_core.ablations.base import Ablation
    from edgeprune_core.ablations.mean import Mean
    from edgeprune_core.ablations.resample import Resample
    from edgeprune_core.ablations.zero import Zero

# `--ablation all`, and the ablations of a faithfulness matrix.
ABLATIONS: Table[Ablation] = Table({
    "zero": Lazy("edgeprune_core.ablations.zero:Zero"),
    "mean": Lazy("edgeprune_core.ablations.mean:Mean"),
    "resample": Lazy("edgeprune_core.ablations.resample:Resample"),
})  # fmt: skip
# Settings of programs know these as well; `all` does not include them.
VARIANTS: Table[Ablation] = Table({
    "mean_pooled": Lazy("edgeprune_core.ablations.mean:Mean", pooled=True),
})  # fmt: skip

__all__ = ["ABLATIONS", "VARIANTS", "Ablation", "Mean", "Resample", "Zero"]

_HOMES = {"base": ("Ablation",), "mean": ("Mean",), "resample": ("Resample",), "zero": ("Zero",)}

__getattr__ = exports(__name__, _HOMES)
