"""The ablations by name."""

from edgeprune_core.ablations.base import Ablation
from edgeprune_core.ablations.mean import Mean
from edgeprune_core.ablations.resample import Resample
from edgeprune_core.ablations.zero import Zero

ABLATIONS = ("zero", "mean", "resample")

__all__ = ["ABLATIONS", "Ablation", "Mean", "Resample", "Zero"]
