"""Which scores are equal up to rounding.

A sum of terms that cancel is 0 on one machine and 1e-19 on another. Ranked by strict comparison, such scores order edges
by rounding, and whether a method finds a circuit depends on the BLAS kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Shares of the largest finite score. float64: far above the rounding of a sum of thousands of terms (1e-12), far below
# an effect. float32: rounding of such a sum is of order 1e-7.
# By name: verdicts are imported by commands that must not load torch.
TIE = {"torch.float64": 1e-9, "torch.float32": 1e-6, "torch.float16": 1e-2, "torch.bfloat16": 1e-2}


def levelled(scores: Sequence[float], dtype: torch.dtype | None = None) -> list[float]:
    """Each score, or the largest score that it ties with. dtype: in which they were computed; None for float64."""
    width = TIE.get(str(dtype or "torch.float64"), 1e-9) * max(
        (abs(x) for x in scores if math.isfinite(x)), default=0.0
    )
    found, level = list(scores), math.nan
    for place in sorted(range(len(scores)), key=lambda i: -math.inf if math.isnan(scores[i]) else -scores[i]):
        if not (scores[place] == level or level - scores[place] <= width):
            level = scores[place]
        found[place] = level
    return found
