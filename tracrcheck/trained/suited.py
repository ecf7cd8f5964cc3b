"""What suits a large graph: settings of edge pruning, in place of those that were left as they are, and how much is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from edgeprune_core.graph import LARGE
from edgeprune_core.methods import EdgePruning
from edgeprune_core.methods.edge_pruning import WarmStart
from edgeprune_core.training.annealing import Annealing

# Prompts of each list, and the minutes of an evaluation.
PROMPTS, MINUTES = 200, 10.0
# On a large graph, every prompt costs a ranking and an evaluation much time: a quick answer is made with fewer.
FEW_PROMPTS, FEW_MINUTES = 24, 0.5

# Annealed gates of the best edges of a ranking, and one circuit in a step, whose activations fit into memory.
SETTINGS: Mapping[str, Any] = {
    "circuits": 1,
    "fresh": 8,
    "kept": 0,
    "steps": 80,
    "init": WarmStart(trained=4.0, graded=1.0, items=FEW_PROMPTS),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is done. prompts: of each list. judged: held-out prompts that the circuit alone is evaluated on.

    at_least, at_most: minutes of the evaluation against random circuits, which else takes as long as the search did.
    """

    prompts: int = PROMPTS
    judged: int = PROMPTS
    at_least: float = MINUTES
    at_most: float = MINUTES

    def chosen(self, *, prompts: int | None, minutes: float | None) -> Effort:
        """With what the user chose."""
        n = self.prompts if prompts is None else prompts
        least, most = (self.at_least, self.at_most) if minutes is None else (minutes, minutes)
        return replace(self, prompts=n, at_least=least, at_most=most)

    def minutes(self, seconds: float) -> float:
        """Of the evaluation, after a search of so many seconds."""
        return min(self.at_most, max(self.at_least, seconds / 60))

    def __str__(self) -> str:
        text = f"{self.prompts:,} prompts of each list; evaluation in"
        if self.at_least == self.at_most:
            return f"{text} at most {self.at_most:g} min"
        return f"{text} as much time as the search, {self.at_least:g} to {self.at_most:g} min"


def effort(method: Any, n_edges: int) -> Effort:
    """Of a method on a graph of so many edges: a training is worth a long evaluation, and a quick ranking is not."""
    if n_edges <= LARGE:
        return Effort()
    if isinstance(method, EdgePruning):
        return Effort(judged=FEW_PROMPTS)
    return Effort(prompts=FEW_PROMPTS, judged=FEW_PROMPTS, at_least=FEW_MINUTES)
