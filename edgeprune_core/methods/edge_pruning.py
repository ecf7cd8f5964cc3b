"""Edge pruning (Bhaskar et al. 2024, "Finding Transformer Circuits with Edge Pruning", arXiv 2406.16778).

Hard-concrete gates on the edges are trained by the pathwise gradient (`training/pathwise.py`), so that the outputs stay
near the model's while few gates stay open:

    KL(model || pruned) in nats, its mean over circuits and items   +   the price of open gates (`training/prices.py`)

Afterwards edges are ranked by their log-alphas (or their writer's, whichever is lower). The circuit is the shortest head
of that ranking within the task's tolerance, as for every method here that ranks (`top_edges.py`); or as many edges as
`n_edges` or the price's target says.

We differ: by default an edge has a fixed price instead of a Lagrangian towards a sparsity, so the setting says what an
edge must be worth, in nats, and the size follows. With `price=SparsityTarget(...)` the objective is theirs; `nodes` or
`per_node` trains their node masks. Numerical outputs are compared by a bounded squared distance.

A sweep over sizes, as in their section 4 (edges against faithfulness, one run per target), takes one training here: the
price rises in geometric steps from where hardly an edge goes to where hardly one stays, so each size starts from the gates
of the one before. At each price, the ranking is cut near the number of open gates.

On a large graph, most of a training would be spent on closing gates that any ranking knows to be useless. A `WarmStart`
opens the gates of the best edges of another method's ranking, and may leave all others cut for good, as Gu et al. 2025
(arXiv 2510.03282) do. With `annealing`, gates have no noise and no price, and as many are open as are wanted
(`training/annealing.py`), which suits large graphs. A sweep then takes the sizes from large to small, and
each starts from the gates of the one before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.error_codes import user_error
from edgeprune_core.mask import mask_from_edge_values
from edgeprune_core.methods.base import Candidate, Method
from edgeprune_core.methods.eap_ig import EapIg
from edgeprune_core.methods.top_edges import fewest_edges, top_edges
from edgeprune_core.task import Task
from edgeprune_core.training.annealing import Annealing
from edgeprune_core.training.checkpoint import finished
from edgeprune_core.training.pathwise import PathwiseSettings, PathwiseTraining
from edgeprune_core.training.prices import FixedPrice, Price, RisingPrice, geometric


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Settings of a sweep, in place of the method's own: fewer circuits on more items, since steps at the next price follow.

    ceiling: of log-alphas (`training/pathwise.py` says why).
    near:    where each ranking is cut, in parts of the number of open gates.
    """

    price: RisingPrice = field(default_factory=RisingPrice)
    circuits: int = 4
    fresh: int = 6
    kept: int = 2
    ceiling: float = 7.0
    near: tuple[float, ...] = (0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnealedSweep:
    """Sizes of a sweep with annealed gates, in geometric steps from a quarter of the graph. steps: at each, after the first.

    larger: sizes above it, at which the first ranking is cut, the whole graph last: with few prompts, what was trained fits them alone.
    """

    sizes: int = 13
    smallest: float = 0.001
    steps: int = 40
    larger: int = 8

    def counts(self, n_edges: int) -> list[int]:
        return [max(1, round(n_edges * share)) for share in geometric(0.25, self.smallest, self.sizes)]

    def cuts(self, n: int, n_edges: int) -> list[int]:
        """Where the ranking that was trained to n edges is cut."""
        if n < self.counts(n_edges)[0]:
            return [n]
        return [n, *(round(larger) for larger in geometric(n, n_edges, self.larger + 1)[1:])]


# Graded log-alphas rise no further, in units of the grade: the best twentieth of the edges wanted are equally certain.
HIGHEST = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """Gates that start from another method's ranking.

    method:   ranks the edges; it must return scores. Its `n_edges`, if it has one, is set, so that it searches for no size.
    opened:   the best so many edges start open, in parts of the number wanted (of a quarter of the graph, if no number is).
    trained:  the best so many edges are trained, in the same unit; the others stay cut. None: all edges are trained.
    open_at, closed_at: log-alphas.
    graded:   in place of those two, log-alphas fall by this much with each e-fold of the rank, and are 0 at the number wanted.
    items:    that the ranking is made on, at most.
    """

    method: Method = field(default_factory=EapIg)
    opened: float = 4.0
    trained: float | None = None
    open_at: float = 2.0
    closed_at: float = -2.0
    graded: float | None = None
    items: int | None = None

    def log_alphas(self, task: Task, wanted: int | None) -> Float[Tensor, " edge"]:
        """Errors: EP206, from a method that returns no scores."""
        n, method = task.graph.n_edges, self.method
        unit = wanted or n // 4
        if hasattr(method, "n_edges"):
            method = replace(method, n_edges=n)  # type: ignore[type-var]  # a dataclass, as it has that field
        scores = method(replace(task, items=task.items[: self.items])).scores
        if scores is None:
            raise user_error("EP206", got=type(self.method).__name__)
        rank = scores.argsort(descending=True, stable=True).argsort().cpu()
        found = torch.where(rank < self.opened * unit, self.open_at, self.closed_at)
        if self.graded is not None:
            found = self.graded * (math.log(unit) - (rank + 1).log()).clamp(max=HIGHEST)
        if self.trained is not None:
            found[rank >= self.trained * unit] = -math.inf
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePruning(PathwiseSettings):
    """The settings of the trainer, and how a circuit is made of its gates.

    init:    where the gates start; None: all open, at `start`.
    n_edges: how many edges to keep, before dangling ones are dropped; None: the target's, or the fewest within the tolerance.
    dtype:   the model runs in it. In bfloat16 the circuit is that of float32 where the model survives being rounded, with
             every edge kept: `notes["rounded"]` says how far its outputs move, in units of the criterion. Planted models
             whose stream is turned do not survive: their attention scores are of order 100, and err by more than 0.1.
    swept:   settings of `sweep`.
    annealing: gates without noise, in place of sampled ones and a price. Without `n_edges`, it aims at a twentieth of the graph.
    """

    steps: int = 400
    circuits: int = 16
    fresh: int = 3
    kept: int = 1
    start: float = 3.0
    learning_rate: float = 0.1
    price: Price = field(default_factory=lambda: FixedPrice(per_edge=0.001))
    cool_down: float = 1 / 3
    init: WarmStart | None = None
    n_edges: int | None = None
    dtype: torch.dtype = torch.float32
    swept: Sweep = field(default_factory=Sweep)
    annealing: Annealing | None = None
    annealed_sweep: AnnealedSweep = field(default_factory=AnnealedSweep)

    def __call__(self, task: Task) -> Discovery:
        return finished(self.begin(task))

    def begin(self, task: Task) -> EdgePruningTraining:
        return EdgePruningTraining(self, task)

    def wanted(self, n: int) -> int | None:
        """How many edges to keep, of n; None: the fewest within the tolerance."""
        return self.price.edges_kept(n) if self.n_edges is None else self.n_edges

    def sweep(self, task: Task) -> Iterator[Candidate]:
        if self.annealing is not None:
            for n, scores in self.annealed(task):
                for cut in self.annealed_sweep.cuts(n, len(scores)):
                    more = "" if cut == n else f", top {cut}"
                    yield f"annealed to {n}{more}", top_edges(task, scores, cut)
            return
        for price, scores in self.rankings(task):
            n_open = int((scores > 0).sum())
            for n in sorted({min(max(1, round(part * n_open)), len(scores)) for part in self.swept.near}):
                yield f"price {price:.2g}, top {n}", top_edges(task, scores, n)

    def rankings(self, task: Task) -> Iterator[tuple[float, Float[Tensor, " edge"]]]:
        """The prices of a sweep, and the edge scores at the end of each."""
        own, price = self.swept, self.swept.price
        training = replace(
            self, price=price, steps=price.total_steps, cool_down=0.0,
            circuits=own.circuits, fresh=own.fresh, kept=own.kept, ceiling=own.ceiling,
        ).begin(task)  # fmt: skip
        for number, at in enumerate(price.per_stop):
            while not training.done and price.stop(training.taken) == number:
                training.advance()
            yield at, training.scores().clone()

    def annealed(self, task: Task) -> Iterator[tuple[int, Float[Tensor, " edge"]]]:
        """The sizes of a sweep with annealed gates, and the edge scores after each."""
        own, start = self.annealed_sweep, None
        for n in own.counts(task.graph.n_edges):
            steps = self.steps if start is None else own.steps
            training = EdgePruningTraining(replace(self, n_edges=n, steps=steps), task, start=start)
            finished(training)
            start = training.scores().clone()
            yield n, training.ranking()


# Items on which the trained ranking is compared with the one it started from.
COMPARED = 24


def _finite(scores: Float[Tensor, " edge"]) -> Float[Tensor, " edge"]:
    return scores.clamp(min=float(scores[scores.isfinite()].min()) - 1)


class EdgePruningTraining(PathwiseTraining):
    """Edge pruning at work on a task (`checkpoint.Training`)."""

    def __init__(
        self, method: EdgePruning, task: Task, *, start: Float[Tensor, " edge"] | None = None
    ) -> None:
        """start: log-alphas, in place of those of `method.init`."""
        n = task.graph.n_edges
        wanted = method.wanted(n)
        self.n_open = max(1, n // 20) if wanted is None else wanted  # of annealed gates
        if start is None and method.init is not None:
            start = method.init.log_alphas(task, wanted if method.annealing is None else self.n_open)
        self.begun = start
        super().__init__(method, task.to(method.dtype), torch.Generator().manual_seed(task.seed), start)
        self.method, self.original = method, task  # `original`: in its own precision, to judge circuits

    def _sampled(self) -> Float[Tensor, "circuit edge"]:
        method = self.method
        if method.annealing is None:
            return super()._sampled()
        done = self.taken / method.steps
        return method.annealing.gates(method.gate, self.gates.edges, self.n_open, done)[None]

    def _counted(self, mask: Float[Tensor, "circuit reader writer"]) -> Bool[Tensor, "reader writer"]:
        """With annealed gates, closed ones that may open again count."""
        if self.method.annealing is None:
            return super()._counted(mask)
        trained = self.gates.edges.detach().isfinite().to(mask.dtype)
        return self.task.open_edges(mask_from_edge_values(self.task.graph, trained[None]))

    def _price(self) -> Tensor:
        return super()._price() if self.method.annealing is None else self.gates.edges.new_zeros(())

    def _accepts(self, circuit: Circuit) -> bool:
        return self.original.accepts(circuit)

    def ranking(self) -> Float[Tensor, " edge"]:
        """The scores, with edges that were never trained below all others."""
        return _finite(self.scores())

    def _better(self, *rankings: Float[Tensor, " edge"]) -> Float[Tensor, " edge"]:
        """The ranking whose best edges stay nearest to the model on the first items: at worst, the one it started from."""
        task, n = self.original, self.n_open
        off = task.deviations([top_edges(task, scores, n) for scores in rankings], task.items[:COMPARED])
        return rankings[int(off.mean(1).argmin())]

    def discovery(self) -> Discovery:
        method, scores = self.method, self.ranking()
        wanted = method.wanted(len(scores))
        if method.annealing is not None and self.begun is not None:
            scores = self._better(scores, _finite(self.begun.to(scores)))
        if wanted is not None:
            circuit, tried = top_edges(self.original, scores, wanted), 0
        else:
            circuit, tried = fewest_edges(self.original, scores, accepts=self._accepts)
        return Discovery(
            circuit=circuit, scores=scores, steps=self.taken, hard_evaluations=tried, notes=self._notes()
        )

    @torch.no_grad()
    def _notes(self) -> dict[str, float]:
        notes: dict[str, float] = {}
        if self.method.annealing is None:
            of_edges, of_nodes = self.gates.sparsity()
            notes = {"open_gates": int((self.scores() > 0).sum()), "edge_sparsity": float(of_edges)}
            if of_nodes is not None:
                notes["node_sparsity"] = float(of_nodes)
        if torch.finfo(self.task.model.dtype).bits < 32:
            notes["rounded"] = self._rounded()
        return notes

    def _rounded(self) -> float:
        """How far the unpruned model's own outputs move in the precision it was run in, at worst."""
        original = self.original
        off = original.outcome.deviation(
            self.task.reference.to(original.model.dtype), original.reference, original.scored
        )
        return float(off.max())
