"""Compares two circuits of one model: which edges they share, and how faithful each is on the other's task.

In the case study of Bhaskar et al. 2024 (arXiv 2406.16778), the circuits of one task, prompted by an instruction and by
examples, overlap substantially. We also report the overlap expected by chance.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.faithfulness import Matrix
from edgeprune_core.graph import Edge
from edgeprune_core.tasks import Pair
from edgeprune_core.trained_models import TrainedModel
from tracrcheck.error_codes import user_error
from tracrcheck.trained.discover import judge

Which = Literal["a", "b", "shared"]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Edges into one layer's readers; for `out`, layer is None."""

    layer: int | None
    shared: int
    only_a: int
    only_b: int


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Two circuits of one graph."""

    a: Circuit
    b: Circuit

    @property
    def shared(self) -> Circuit:
        return self.a & self.b

    @property
    def only_a(self) -> Circuit:
        return self.a - self.b

    @property
    def only_b(self) -> Circuit:
        return self.b - self.a

    @property
    def jaccard(self) -> float | None:
        """Shared edges divided by edges in either (Jaccard 1901); None if both circuits are empty."""
        either = len(self.a | self.b)
        return len(self.shared) / either if either else None

    @property
    def expected(self) -> float:
        """Edges that two random circuits of these sizes share on average."""
        return len(self.a) * len(self.b) / self.a.graph.n_edges

    def layers(self) -> tuple[Layer, ...]:
        """By the reader's layer, `out` last; layers without edges in either circuit are left out."""
        counts = [Counter(map(_layer_of, part)) for part in (self.shared, self.only_a, self.only_b)]
        numbers = [*range(self.a.graph.n_layers), None]
        found = [(n, *(count[n] for count in counts)) for n in numbers]
        return tuple(Layer(layer=n, shared=s, only_a=a, only_b=b) for n, s, a, b in found if s or a or b)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A circuit's faithfulness on one of the tasks. which: the first, the second, or their shared edges."""

    which: Which
    task: str
    matrix: Matrix


def _layer_of(edge: Edge) -> int | None:
    return None if edge.reader.kind == "out" else edge.reader.layer


def overlap(a: Circuit, b: Circuit) -> Overlap:
    """Errors: EP121 (circuits of different graphs)."""
    if a.graph != b.graph:
        raise user_error("EP121.circuit", got=b.graph, wanted=a.graph, do="compare circuits of one model")
    return Overlap(a=a, b=b)


def circuit_in(path: Path) -> Circuit:
    """A circuit from our own file or from `discover --json`, without edges from which no path leads to `out`.

    Errors: TC184 (cannot be read, or not JSON), and those of `Circuit.from_json` with the path.
    """
    try:
        document: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        got = error.strerror or error if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise user_error("TC184", got=got, path=path) from None
    if isinstance(document, dict) and isinstance(document.get("circuit"), dict):
        document = document["circuit"]
    try:
        return Circuit.from_json(document).connected()
    except CheckError as error:
        raise error.at(str(path)) from None


# How many circuits are judged on each task: both, and their shared edges.
CIRCUITS = 3


def crossed(
    found: Overlap,
    subject: TrainedModel,
    tasks: Mapping[str, Sequence[Pair]],
    *,
    draws: int,
    seed: int,
    minutes: float | None = None,
    tell: Callable[[str], Any] | None = None,
) -> Iterator[Judged]:
    """Both circuits and their shared edges, on each of the tasks. minutes: how long all of it may take; None: no limit. tell:
    hears what is evaluated, where that takes long. Errors: EP121 (another model's graph)."""
    circuits: dict[Which, Circuit] = {"a": found.a, "b": found.b, "shared": found.shared.connected()}
    each = None if minutes is None else minutes / (CIRCUITS * len(tasks))
    for task, pairs in tasks.items():
        for which, circuit in circuits.items():
            matrix = judge(subject, pairs, circuit, draws=draws, seed=seed, minutes=each, tell=tell)
            yield Judged(which=which, task=task, matrix=matrix)
