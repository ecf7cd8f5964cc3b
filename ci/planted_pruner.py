"""Edge pruning of planted GPT-2s of GPT-2 small's size: eight circuits on two items a step, a quarter of the default's.

tracrcheck gate build/ci/planted/*-12x12 --method ci.planted_pruner:small_steps --ablation resample --json FILE --resume
"""

from __future__ import annotations

from edgeprune_core.methods import EdgePruning

small_steps = EdgePruning(circuits=8, fresh=1, kept=1)
