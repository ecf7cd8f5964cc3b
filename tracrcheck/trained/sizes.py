"""How large a circuit is wanted: a number of edges, a divergence, or the tolerance of the task.

    --edges N, --sparsity S    the N best edges, or all but a share S of the graph
    --kl X                     the fewest edges whose mean KL divergence on the training prompts is at most X nats
    --tolerance                the fewest edges that keep every training prompt within the task's tolerance

Dangling edges are dropped, so a circuit may have fewer edges than were wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass, replace
from typing import Any, Protocol

from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import LARGE
from edgeprune_core.methods import EdgePruning
from edgeprune_core.methods.top_edges import fewest_edges, top_edges
from edgeprune_core.task import Task
from edgeprune_core.training.prices import SparsityTarget
from tracrcheck.error_codes import user_error

# A large graph is cut to a share of its edges by default: the tolerance bounds the worst prompt, and each try costs a pass over
# all of them.
LARGE_SPARSITY = 0.95


class Size(Protocol):
    def applied_to(self, method: Any, n_edges: int) -> Any:
        """The method, set to this size where it can be; it need not search for another. n_edges: of the graph."""
        ...

    def cut(self, task: Task, circuit: Circuit, scores: Tensor | None) -> Circuit:
        """The circuit of this size. circuit, scores: what the method returned. Errors: TC188 (no scores to cut)."""
        ...

    def __str__(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class EdgeCount:
    edges: int

    def applied_to(self, method: Any, n_edges: int) -> Any:
        found = _with_edges(method, self.edges)
        if isinstance(found, EdgePruning) and found.annealing is None:  # the paper's way to a number of edges
            return replace(
                found, price=SparsityTarget(edges=1 - self.edges / n_edges, warm_up=found.steps // 2)
            )
        return found

    def cut(self, task: Task, circuit: Circuit, scores: Tensor | None) -> Circuit:
        if len(circuit) <= self.edges:
            return circuit
        return top_edges(task, _wanted(scores, self), self.edges)

    def __str__(self) -> str:
        return f"{self.edges:,} edges"


@dataclass(frozen=True, kw_only=True)
class MeanKl:
    """nats: on the training prompts."""

    nats: float

    def applied_to(self, method: Any, n_edges: int) -> Any:
        if isinstance(method, EdgePruning) and method.annealing is not None:
            return method  # it trains for a number of its own
        return _with_edges(method, n_edges)  # all: the size is found here

    def cut(self, task: Task, circuit: Circuit, scores: Tensor | None) -> Circuit:
        found, _ = fewest_edges(
            task, _wanted(scores, self), accepts=lambda c: float(task.deviations(c).mean()) <= self.nats
        )
        return found

    def __str__(self) -> str:
        return f"a mean KL of at most {self.nats:g} nats"


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """The method's own way: every training prompt within the task's tolerance."""

    def applied_to(self, method: Any, n_edges: int) -> Any:
        return method

    def cut(self, task: Task, circuit: Circuit, scores: Tensor | None) -> Circuit:
        return circuit

    def __str__(self) -> str:
        return "every prompt within the tolerance"


def size_of(
    *, edges: int | None, sparsity: float | None, kl: float | None, tolerance: bool, n_edges: int
) -> Size:
    """What the options ask for; without any, the tolerance on a small graph and a sparsity on a large one.

    n_edges: of the graph. Errors: TC117 (two of them, or a number out of range).
    """
    given = {"--edges": edges, "--sparsity": sparsity, "--kl": kl, "--tolerance": tolerance or None}
    named = [f"{name} {value:g}" for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise user_error("TC117.sizes", where=", ".join(given), got=" and ".join(named))
    if edges is not None and not 1 <= edges <= n_edges:
        raise user_error("TC117.edges", where="--edges", got=edges, n_edges=f"{n_edges:,}")
    if sparsity is not None and not 0 <= sparsity < 1:
        raise user_error("TC117.sparsity", where="--sparsity", got=sparsity)
    if kl is not None and not kl >= 0:
        raise user_error("TC117.kl", where="--kl", got=kl)
    if sparsity is None and not named and n_edges > LARGE:
        sparsity = LARGE_SPARSITY
    if edges is None and sparsity is not None:
        edges = max(1, round((1 - sparsity) * n_edges))
    if edges is not None:
        return EdgeCount(edges=edges)
    return Tolerance() if kl is None else MeanKl(nats=kl)


def _with_edges(method: Any, n_edges: int) -> Any:
    has = is_dataclass(method) and not isinstance(method, type) and hasattr(method, "n_edges")
    return replace(method, n_edges=n_edges) if has else method


def _wanted(scores: Tensor | None, size: Size) -> Tensor:
    if scores is None:
        raise user_error("TC188", got="a circuit, and no scores", size=str(size))
    return scores
