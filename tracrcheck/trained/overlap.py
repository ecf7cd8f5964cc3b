"""Two circuits of one model side by side: which edges they share, and what each is worth on the other's task.

The case study of Bhaskar et al. 2024 (arXiv 2406.16778): circuits of one task asked in two ways, by an instruction and
by examples, overlap substantially. How much is by chance is told beside it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
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
    """Edges into one layer's readers; of `out`, layer is None."""

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
        """Shared edges of all that either has (Jaccard 1901); None where neither has any."""
        either = len(self.a | self.b)
        return len(self.shared) / either if either else None

    @property
    def expected(self) -> float:
        """Edges that two random circuits of these sizes share in the mean."""
        return len(self.a) * len(self.b) / self.a.graph.n_edges

    def layers(self) -> tuple[Layer, ...]:
        """By the layer that reads, `out` last; layers into which neither has an edge are left out."""
        counts = [Counter(map(_layer_of, part)) for part in (self.shared, self.only_a, self.only_b)]
        numbers = [*range(self.a.graph.n_layers), None]
        found = [(n, *(count[n] for count in counts)) for n in numbers]
        return tuple(Layer(layer=n, shared=s, only_a=a, only_b=b) for n, s, a, b in found if s or a or b)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A circuit's faithfulness on one of the tasks. which: the first, the second, or the edges that they share."""

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
    """A circuit file of ours, or what `discover --json` wrote, without the edges that no path joins to `out`.

    Errors: TC184 (no such file, no JSON), and those of `Circuit.from_json` with the path.
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


def check_tasks(a: str | None, b: str | None, model: str | None) -> None:
    """Both are named, or none is. Errors: TC185."""
    if (a is None) == (b is None) and (model is None or a is not None):
        return
    raise user_error(
        "TC185",
        where="--task-a, --task-b" if model is None else "--model",
        got=", ".join(f"{name} {value}" for name, value in (("--task-a", a), ("--task-b", b)) if value)
        or "neither",
    )


def crossed(
    found: Overlap, subject: TrainedModel, tasks: dict[str, tuple[Pair, ...]], *, draws: int, seed: int
) -> Iterator[Judged]:
    """Both circuits and what they share, on each of the tasks. Errors: EP121 (a circuit of another model's graph)."""
    circuits: dict[Which, Circuit] = {"a": found.a, "b": found.b, "shared": found.shared.connected()}
    for task, pairs in tasks.items():
        for which, circuit in circuits.items():
            yield Judged(
                which=which, task=task, matrix=judge(subject, pairs, circuit, draws=draws, seed=seed)
            )
