"""The composition of drawn programs: the histogram of a fuzzing run, and the quotas it must meet.

Whether attention depends on tokens is measured on the compiled model, not guessed from the recipe: some head with a
required edge (under zero ablation) must attend differently on two inputs of the same length.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.engine.blocks.attention import pattern
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.task import Task
from tracrcheck.generator.recipe import Recipe

# Difference of attention probabilities: far above the leak of a compiled softmax (2.3e-5), far below a real change of
# attention (at least 1/156 with up to 13 places).
SAME_ATTENTION = 0.002


@dataclass(frozen=True, kw_only=True)
class Features:
    """An accepted program. number: of its draw; required_zero: how many edges zero ablation requires."""

    number: int
    n_operations: int
    n_layers: int
    n_heads: int
    causal: bool
    numerical: bool
    attends_by_tokens: bool
    required_zero: int

    @classmethod
    def of(cls, number: int, recipe: Recipe, task: Task, required: Circuit) -> Features:
        """Its features; `task` and `required` are under zero ablation."""
        spec = task.model.spec
        heads = {edge.writer.index for edge in required if edge.writer.kind == "head"}
        return cls(
            number=number,
            n_operations=len(recipe.operations),
            n_layers=spec.n_layers,
            n_heads=spec.n_heads,
            causal=spec.causal,
            numerical=not task.outcome.categorical,
            attends_by_tokens=any(head_attends_by_tokens(task, head) for head in sorted(heads)),
            required_zero=len(required),
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def head_attends_by_tokens(task: Task, writer: int) -> bool:
    """Whether a head's attention differs between inputs of the same length, position 0 aside.

    writer: the head's index among the writers of a model without norms, in which no edge is cut.
    """
    model, weights = task.model, task.model.weights
    graph = ResidualGraph.of(model.spec)
    head = graph.writers[writer]
    before = graph.n_embeddings + head.layer * (graph.n_heads + 1)
    stream = task.writers[:before].sum(0) + weights.b_o[: head.layer].sum(0)
    at = (head.layer, head.head)
    q, k = stream @ weights.w_q[at] + weights.b_q[at], stream @ weights.w_k[at] + weights.b_k[at]
    probabilities = pattern(model.spec, q, k, task.valid)
    lengths = task.valid.sum(1)
    for length in lengths.unique().tolist():
        rows = probabilities[lengths == length][:, 1:length]
        if float((rows.amax(0) - rows.amin(0)).max()) > SAME_ATTENTION:
            return True
    return False


# Of a whole run ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """The lowest allowed shares of programs, and the lowest allowed median of edges required under zero ablation."""

    two_layers: float = 0.5
    attends_by_tokens: float = 0.3
    numerical: float = 0.25
    median_required_zero: float = 6.0


@dataclass(frozen=True, kw_only=True)
class Composition:
    """The histogram. layers, operations: number -> programs; other fields as in `Quotas`."""

    programs: int
    layers: dict[int, int]
    operations: dict[int, int]
    causal: float
    two_layers: float
    attends_by_tokens: float
    numerical: float
    median_required_zero: float

    @classmethod
    def of(cls, programs: Sequence[Features]) -> Composition:
        def share(which: Sequence[bool]) -> float:
            return round(sum(which) / max(1, len(which)), 4)

        return cls(
            programs=len(programs),
            layers=dict(sorted(Counter(p.n_layers for p in programs).items())),
            operations=dict(sorted(Counter(p.n_operations for p in programs).items())),
            causal=share([p.causal for p in programs]),
            two_layers=share([p.n_layers >= 2 for p in programs]),
            attends_by_tokens=share([p.attends_by_tokens for p in programs]),
            numerical=share([p.numerical for p in programs]),
            median_required_zero=statistics.median([p.required_zero for p in programs] or [0]),
        )

    def unmet(self, quotas: Quotas) -> dict[str, tuple[float, float]]:
        """Unmet quotas: name -> (value, minimum)."""
        return {
            name: (getattr(self, name), least)
            for name, least in asdict(quotas).items()
            if getattr(self, name) < least
        }

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
