"""The ablations by name."""

from edgeprune_core.ablations.base import Ablation
from edgeprune_core.ablations.mean import Mean
from edgeprune_core.ablations.resample import Resample
from edgeprune_core.ablations.zero import Zero

# `--ablation all`, and the ablations of a faithfulness matrix.
ABLATIONS: dict[str, Ablation] = {row.name: row for row in (Zero(), Mean(), Resample())}
# Settings of programs know these as well; `all` does not include them.
VARIANTS: dict[str, Ablation] = {row.name: row for row in (Mean(pooled=True),)}

__all__ = ["ABLATIONS", "VARIANTS", "Ablation", "Mean", "Resample", "Zero"]
