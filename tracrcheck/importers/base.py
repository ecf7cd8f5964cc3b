"""An importer: the JSON of a tool's published circuit -> edges of a program's graph.

To add one: a class in a file here, with a name, a description of how its format maps to ours, and two methods that
recognise and read its documents; and a row in the table of `__init__.py`. Pickles are not read, since loading one runs
code. `convert` says how to write such a file as JSON where the tool is installed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError, did_you_mean
from edgeprune_core.graph import ResidualGraph
from tracrcheck.error_codes import user_error
from tracrcheck.importers.granularity import Granularity, Level


@dataclass(frozen=True, kw_only=True)
class Imported:
    """The contents of a file: the coarse edges it keeps, in the names of `granularity`.

    scores: coarse edge -> score, for all edges or for none; edges with larger scores are kept longer.
    notes:  how the file was read, beyond the granularity.
    named:  every edge in the file, where it should name all: with scores, or with what is not kept. None: a list of what is
            kept, which says by its form that the rest is cut.
    """

    format: str
    granularity: Level
    kept: frozenset[str]
    scores: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    named: frozenset[str] | None = None


class Importer(Protocol):
    """name: for `--format`. mapping: how the format maps to ours. convert: how to get such JSON. One line each."""

    name: str
    mapping: str
    convert: str

    def recognises(self, document: Any) -> bool:
        """Whether a document has this format. Never raises."""
        ...

    def read(self, document: Any, graph: ResidualGraph, *, threshold: float | None) -> Imported:
        """Errors: TC132 (malformed), TC133 (other edges), TC135 (scores without a threshold, or the reverse)."""
        ...


@runtime_checkable
class Exporter(Protocol):
    """An importer that can write its format too, such that reading it gives the same circuit."""

    def write(self, circuit: Circuit, *, d_model: int) -> Any:
        """The document. d_model: of the model that the tool sees."""
        ...


def imported(
    format: str,
    granularity: Granularity,
    graph: ResidualGraph,
    *,
    kept: Iterable[str],
    scores: Mapping[str, float] | None = None,
    notes: Iterable[str] = (),
    named: Iterable[str] | None = None,
) -> Imported:
    """What was read, once every edge is known to be in the graph at this granularity. Errors: TC133."""
    members = granularity.members(graph)
    kept, scores = frozenset(kept), dict(scores or {})
    if foreign := sorted((kept | set(scores)) - set(members)):
        named = ", ".join(foreign[:5]) + (", ..." if len(foreign) > 5 else "")
        raise user_error(
            "TC133.edges",
            got=named,
            do=did_you_mean(foreign[0], members),
            layers=graph.n_layers,
            heads=graph.n_heads,
        )
    if bad := [name for name, score in scores.items() if not is_number(score)]:
        raise malformed(format, f"the score of {bad[0]} is not a number", "numbers")
    whole = None if named is None else frozenset(named)
    missing = len(members) - len(scores)
    notes = list(notes)
    if scores and missing:
        notes.append(f"{missing} edges have no score, so the scores are not ranked")
        scores = {}
    return Imported(
        format=format, granularity=granularity, kept=kept, scores=scores, notes=tuple(notes), named=whole
    )


def is_number(score: float) -> bool:
    """False for NaN, and for JSON integers too large for a float."""
    try:
        return not math.isnan(score)
    except OverflowError:
        return False


def no_threshold(format: str, threshold: float | None) -> None:
    """Refuses a threshold for a file that lists edges. Errors: TC135."""
    if threshold is not None:
        raise user_error("TC135.edges", where="--threshold", got=f"{threshold:g}", format=format)


def kept_above(format: str, scores: Mapping[str, float], threshold: float | None) -> list[str]:
    """Edges whose score is at least the threshold. Errors: TC135 (no threshold)."""
    if threshold is None:
        raise user_error("TC135.scores", where="--threshold", got="none", format=format)
    return [name for name, score in scores.items() if score >= threshold]


def malformed(format: str, got: str, wanted: str) -> CheckError:
    return user_error("TC132", got=got, wanted=wanted, format=format)
