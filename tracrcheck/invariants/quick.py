"""Edge pruning with few steps, for checks of how it works rather than of what it finds."""

from __future__ import annotations

from edgeprune_core.methods.candidates import Restarts
from edgeprune_core.methods.edge_pruning_score_function import EdgePruningScoreFunction, Kicks
from edgeprune_core.training.cross_entropy import EliteSettings
from edgeprune_core.training.score_function import ScoreSettings

QUICK = EdgePruningScoreFunction(
    score=ScoreSettings(steps=12, circuits=8),
    kicks=Kicks(elites=EliteSettings(most=16, patience=2, follow=2), rounds=1, steps=4, circuits=4),
    restarts=Restarts(count=1),
    budget=3,
)
