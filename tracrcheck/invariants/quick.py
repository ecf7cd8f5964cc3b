"""Edge pruning with few steps, for checks of how it works rather than of what it finds."""

from __future__ import annotations

from edgeprune_core.methods.edge_pruning import EdgePruning, Kicks
from edgeprune_core.training.cross_entropy import EliteSettings
from edgeprune_core.training.score_function import ScoreSettings

QUICK = EdgePruning(
    score=ScoreSettings(steps=12, circuits=8),
    kicks=Kicks(elites=EliteSettings(most=16, patience=2, follow=2), rounds=1, steps=4, circuits=4),
    restarts=1,
    budget=3,
)
