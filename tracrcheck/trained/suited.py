"""Settings of edge pruning that suit a large graph, in place of those that were left as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from edgeprune_core.graph import LARGE
from edgeprune_core.methods import EdgePruning
from edgeprune_core.methods.edge_pruning import WarmStart
from edgeprune_core.training.annealing import Annealing

# Annealed gates of the best edges of a ranking, and one circuit in a step, whose activations fit into memory.
SETTINGS: Mapping[str, Any] = {
    "circuits": 1,
    "fresh": 8,
    "kept": 0,
    "steps": 80,
    "init": WarmStart(trained=4.0, graded=1.0, items=24),
    "annealing": Annealing(),
}
# The same with sampled gates and a price: where one of these was chosen, or the gates are to start open.
SAMPLED: Mapping[str, Any] = {"circuits": 1, "fresh": 6, "kept": 2, "init": WarmStart()}
PRICED = ("price", "start")


def suited(method: Any, n_edges: int, *, cold: bool = False) -> Any:
    """The method, for a graph of so many edges. cold: the gates start open on a large graph too."""
    if not isinstance(method, EdgePruning) or n_edges <= LARGE:
        return method
    chosen = {f.name for f in fields(method) if getattr(method, f.name) != getattr(EdgePruning(), f.name)}
    sampled = cold or not chosen.isdisjoint(PRICED)
    fitting = dict(SAMPLED if sampled else SETTINGS)
    if cold:
        del fitting["init"]
    elif method.init is not None:  # its ranking, started as suits the gates
        fitting["init"] = replace(fitting["init"], method=method.init.method)
        chosen.discard("init")
    return replace(method, **{name: value for name, value in fitting.items() if name not in chosen})
