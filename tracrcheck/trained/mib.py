"""CPR and CMD of MIB, the Mechanistic Interpretability Benchmark (Mueller et al. 2025, arXiv 2504.13151).

They are of scores, or of circuits of several sizes. Of scores, the best edges of each of ten shares are kept, by their
magnitude, and nodes without inputs or readers are dropped. Of circuits, the largest one that has no more edges is taken, and
the whole model for a share of 1. With m the mean logit difference on the prompts, with corrupted values in place of cut
edges, the faithfulness of a circuit C is

    f = (m(C) - m(empty)) / (m(model) - m(empty)).

CPR, the integrated circuit performance ratio, is the area under f over the shares; CMD, the integrated circuit-model distance, the
area between f and 1. Both are sums of trapezoids, without an interval from 0 to the first share. As MIB computes it, CMD takes
trapezoids of |1 - f|, which is too large where f crosses 1 within an interval: the line between its two ends has less area. `cmd_exact`
is the area of that line. Edges of the position embedding are no edges there: they are always kept, and not counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge, ResidualGraph
from edgeprune_core.mask import to_mask
from edgeprune_core.task import Task
from edgeprune_core.tasks import Pair
from edgeprune_core.tasks.prompt_task import prompt_task
from edgeprune_core.trained_models import TrainedModel
from tracrcheck.importers import AUTO, read_file

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """edges: how many each share keeps, before nodes are dropped. faithfulness: None where the model's logit difference is that of
    the empty circuit; the areas are None then too."""

    shares: tuple[float, ...]
    edges: tuple[int, ...]
    faithfulness: tuple[float, ...] | None
    cpr: float | None
    cmd: float | None
    cmd_exact: float | None

    @property
    def consistent(self) -> bool:
        """Whether the areas are those of the faithfulness."""
        found = (None,) * 3 if self.faithfulness is None else areas(self.shares, self.faithfulness)
        return (self.cpr, self.cmd, self.cmd_exact) == found

    def near(self, other: Curve) -> bool:
        """Whether both are the same up to rounding."""
        one, two = self.faithfulness or (), other.faithfulness or ()
        return len(one) == len(two) and all(map(partial(math.isclose, rel_tol=1e-4, abs_tol=1e-4), one, two))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def sentence(self) -> str:
        if self.cpr is None:
            return "MIB: undefined, since the model's logit difference is that of the empty circuit"
        return f"MIB: CPR {self.cpr:.3f}, CMD {self.cmd:.3f} as MIB computes it, {self.cmd_exact:.3f} exactly"


def curve_of(path: Path, subject: TrainedModel, pairs: Sequence[Pair]) -> Curve | None:
    """The curve of a file that has a score for each edge; None for any other. Errors: those of `read_file` and `prompt_task`."""
    graph = ResidualGraph.of(subject.model.spec)
    imported = read_file(path, graph, format=AUTO, threshold=None)
    if not imported.scores:
        return None
    members = imported.granularity.members(graph)
    scored = {edge: imported.scores[name] for name, edges in members.items() for edge in edges}
    task = prompt_task(subject.name, subject.model, pairs, subject.tokenizer)
    return curve(task, {edge: score for edge, score in scored.items() if edge.writer.kind != "pos"})


def curve(task: Task, scores: dict[Edge, float]) -> Curve:
    """scores: of every edge that can be cut."""
    ranked = sorted(scores, key=lambda edge: -abs(scores[edge]))
    edges = _sizes(len(ranked))
    return _curve(task, edges, [_circuit(task.graph, ranked[:n]) for n in edges])


def curve_of_circuits(task: Task, circuits: Sequence[Circuit]) -> Curve:
    """circuits: of several sizes, in any order."""
    counted = {circuit: [e for e in circuit if e.writer.kind != "pos"] for circuit in circuits}
    edges = _sizes(sum(e.writer.kind != "pos" for e in task.graph.edges))
    kept = [max((c for c in counted.values() if len(c) <= n), key=len, default=[]) for n in edges]
    return _curve(task, edges, [*(_circuit(task.graph, of) for of in kept[:-1]), Circuit.full(task.graph)])


def _sizes(n_edges: int) -> tuple[int, ...]:
    return tuple(int(share * n_edges) for share in SHARES)


def _curve(task: Task, edges: tuple[int, ...], circuits: Sequence[Circuit]) -> Curve:
    """circuits: of each share."""
    found = [_margin(task, circuit) for circuit in (_circuit(task.graph, []), *circuits)]
    empty, model = found[0], _margin(task, Circuit.full(task.graph))
    if model == empty:
        return Curve(shares=SHARES, edges=edges, faithfulness=None, cpr=None, cmd=None, cmd_exact=None)
    values = tuple((margin - empty) / (model - empty) for margin in found[1:])
    cpr, cmd, exact = areas(SHARES, values)
    return Curve(shares=SHARES, edges=edges, faithfulness=values, cpr=cpr, cmd=cmd, cmd_exact=exact)


def areas(shares: Sequence[float], values: Sequence[float]) -> tuple[float, float, float]:
    """CPR and CMD as MIB computes them, and CMD exactly, of the straight lines between the points."""
    cpr = cmd = exact = 0.0
    for (left, a), (right, b) in pairwise(zip(shares, values, strict=True)):
        width, over, under = right - left, abs(1 - a), abs(1 - b)
        cpr += width * (a + b) / 2
        cmd += width * (over + under) / 2
        crosses = (1 - a) * (1 - b) < 0
        exact += width * ((over**2 + under**2) / (2 * (over + under)) if crosses else (over + under) / 2)
    return cpr, cmd, exact


def _circuit(graph: ResidualGraph, kept: Sequence[Edge]) -> Circuit:
    """These edges without dangling ones. A cut position embedding carries what a kept one does: it is the same in both prompts."""
    return Circuit(graph, frozenset((*kept, *(e for e in graph.edges if e.writer.kind == "pos")))).connected()


def _margin(task: Task, circuit: Circuit) -> float:
    """The mean logit difference."""
    mask = to_mask(circuit, dtype=task.model.dtype, device=task.model.device)
    total = sum(float(task.margins(got, part).sum()) for part, got in task.in_parts(mask))
    return total / len(task.items)
