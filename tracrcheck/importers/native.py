"""Our own circuit files (`Circuit.dumps`), or a bare list of edges as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from edgeprune_core.circuit import SCHEMA, Circuit
from edgeprune_core.graph import ResidualGraph
from tracrcheck.error_codes import user_error
from tracrcheck.importers.base import Imported, imported, malformed, no_threshold
from tracrcheck.importers.granularity import Granularity


class Native:
    name = "tracrcheck"
    mapping = "edges as they are; `scores`, where there are any, an object edge -> number"
    convert = "path.write_text(circuit.dumps())"

    def recognises(self, document: Any) -> bool:
        if isinstance(document, dict):
            return document.get("schema") == SCHEMA
        if not isinstance(document, list) or not all(isinstance(e, str) for e in document):
            return False
        return not document or any(" -> " in e for e in document)

    def read(self, document: Any, graph: ResidualGraph, *, threshold: float | None) -> Imported:
        no_threshold(self.name, threshold)
        if isinstance(document, list):
            if not all(isinstance(e, str) for e in document):
                raise malformed(
                    self.name, "a list of other things", "a list of edges such as 'tok -> a0.h0.v'"
                )
            return imported(self.name, Granularity(), graph, kept=[" ".join(e.split()) for e in document])
        if isinstance(document, dict) and document.get("schema") == SCHEMA:
            self._check(document, graph)
        circuit = Circuit.from_json(document)
        scores = document.get("scores") or {}
        if not isinstance(scores, dict) or not all(isinstance(x, (int, float)) for x in scores.values()):
            raise malformed(self.name, "`scores` of another kind", "an object, edge -> number")
        return imported(self.name, Granularity(), graph, kept=circuit.texts, scores=scores)

    def write(self, circuit: Circuit, *, d_model: int) -> dict[str, Any]:
        return circuit.to_json()

    def _check(self, document: dict[str, Any], graph: ResidualGraph) -> None:
        """Checks the sizes that the file claims before a graph is built: they may be huge."""
        parts = [part for part in ("graph", "edges") if part not in document]
        if parts:
            raise malformed(self.name, f"no {' and no '.join(parts)}", "graph and edges")
        claimed, ours = document["graph"], asdict(graph)
        if not isinstance(claimed, dict):
            raise malformed(self.name, f"a graph that is {claimed!r:.60}", f"an object of {', '.join(ours)}")
        if strange := sorted(set(claimed) - set(ours)):
            raise malformed(self.name, f"a graph with '{strange[0]}'", f"one of {', '.join(ours)}")
        differs = [name for name, value in ours.items() if name in claimed and claimed[name] != value]
        if differs:
            raise user_error(
                "TC133.graph",
                got=", ".join(f"{name} {claimed[name]!r}" for name in differs),
                wanted=", ".join(f"{name} {ours[name]!r}" for name in differs),
            )
