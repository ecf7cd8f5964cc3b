"""Results of a comparison of methods: reads the files, and finds each method's fewest edges at a divergence."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tracrcheck.records import validate
from tracrcheck.records.validate import NUMBER, fields

SCHEMA = "tracrcheck.compare/1"
# Divergences at which methods are compared, in nats.
LEVELS = (0.01, 0.03, 0.1, 0.3, 1.0)
TOP = {"schema": str, "run": dict, "curves": list}
ASKED = {
    "task": str, "model": str, "ablation": str, "methods": list, "seeds": list, "prompts": int,
    "n_graph_edges": int,
}  # fmt: skip
CURVE = {
    "method": str, "seed": int, "candidates": int, "seconds": NUMBER, "peak_mib": NUMBER, "points": list,
    "fault": validate.TEXT_OR_NONE,
}  # fmt: skip
POINT = {"setting": str, "n_edges": int, "train_kl": NUMBER, "held_out_kl": NUMBER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A circuit of a frontier. setting: what produced it. KL(model || circuit) in nats, averaged over prompts."""

    setting: str
    n_edges: int
    train_kl: float
    held_out_kl: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A method's frontier for one seed, fewest edges first.

    candidates: of its sweep. seconds: of the sweep, judging not counted. peak_mib: the most memory its process had.
    fault: what went wrong, and there are no points.
    """

    method: str
    seed: int
    candidates: int
    seconds: float
    peak_mib: float
    points: tuple[Point, ...]
    fault: str | None = None

    def fewest(self, level: float) -> int | None:
        """Edges of the smallest circuit with at most `level` nats on held-out prompts; None where there is none."""
        return min((p.n_edges for p in self.points if p.held_out_kl <= level), default=None)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"points": [asdict(p) for p in self.points]}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Curve:
        return cls(**{**row, "points": tuple(Point(**p) for p in row["points"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A method at a level. median: over seeds, the higher of the middle two; infinite where that seed does not reach it."""

    method: str
    level: float
    median: float
    by_seed: tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class CompareResults:
    """`run` says how the file was made (docs/json.md)."""

    path: Path
    run: dict[str, Any]
    curves: tuple[Curve, ...]

    units_are = "curves"
    line_each = ("curves",)

    @classmethod
    def from_json(cls, path: Path, document: Mapping[str, Any]) -> CompareResults:
        """Of a document without problems."""
        return cls(path=path, run=document["run"], curves=tuple(map(Curve.from_json, document["curves"])))

    @property
    def units(self) -> tuple[Curve, ...]:
        """What is made again, one by one, where the file is checked."""
        return self.curves

    @property
    def exit_code(self) -> int:
        """0 if every curve was made."""
        return int(any(curve.fault for curve in self.curves))

    @property
    def document(self) -> dict[str, Any]:
        """As it stands in the file."""
        return {"schema": SCHEMA, "run": self.run, "curves": [c.to_json() for c in self.curves]}


def standings(curves: Sequence[Curve], levels: Sequence[float] = LEVELS) -> list[Standing]:
    """By level, then in the order in which the methods come."""
    rows = []
    for level in levels:
        for method in dict.fromkeys(c.method for c in curves):
            fewest = tuple(c.fewest(level) for c in curves if c.method == method)
            median = statistics.median([math.inf if n is None else n for n in fewest])
            rows.append(Standing(method=method, level=level, median=median, by_seed=fewest))
    return rows


def problems(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a document of this schema, in words; nothing where it is as docs/json.md says."""
    found = fields("file", document, TOP)
    if found:
        return found
    found = validate.run(document["run"], ASKED)
    for number, row in enumerate(document["curves"]):
        wrong = fields(f"curves[{number}]", row, CURVE)
        if not wrong:
            for place, point in enumerate(row["points"]):
                wrong += fields(f"curves[{number}].points[{place}]", point, POINT)
        found += wrong
    return found or _whole(document)


def _whole(document: Mapping[str, Any]) -> list[str]:
    """Each curve once, and none that was not asked for; of a finished run, all. Each a frontier."""
    asked, curves = document["run"]["asked"], [Curve.from_json(row) for row in document["curves"]]
    found, keys = [], {(c.method, c.seed) for c in curves}
    wanted = {(method, seed) for method in asked["methods"] for seed in asked["seeds"]}
    if len(keys) < len(curves):
        found.append("curves: one stands there twice")
    if keys - wanted:
        found.append(f"curves: {len(keys - wanted)} that were not asked for")
    if document["run"]["finished"] and wanted - keys:
        found.append(f"curves: {len(wanted - keys)} are not there, of a run that is called finished")
    for c in curves:
        pairs = list(zip(c.points, c.points[1:], strict=False))
        if not all(a.n_edges < b.n_edges and a.train_kl > b.train_kl for a, b in pairs):
            found.append(f"curves: that of {c.method}, seed {c.seed} is no frontier")
    return found
