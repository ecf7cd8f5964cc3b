"""Edge pruning whose gates start from EAP-IG's ranking: does that cost exactness on compiled programs?

    tracrcheck gate PROGRAM... --method ci.starts:warm --ablation resample --ablation zero --json ci/results/starts-warm.json

`cold` starts with every gate open, as by default. `warm` opens the best half of the edges and closes the others, which may open
again. `pruned` never trains the others.
"""

from __future__ import annotations

from edgeprune_core.methods import EdgePruning
from edgeprune_core.methods.edge_pruning import WarmStart

HALF = 2.0  # in quarters of the graph: no number of edges is wanted

cold = EdgePruning()
warm = EdgePruning(init=WarmStart(opened=HALF))
pruned = EdgePruning(init=WarmStart(opened=HALF, trained=HALF))
