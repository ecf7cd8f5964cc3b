"""Our own circuit files (`Circuit.dumps`), or a bare list of edges as text."""

from __future__ import annotations

from typing import Any

from edgeprune_core.circuit import SCHEMA, Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.graph import ResidualGraph
from tracrcheck.granularity import Granularity
from tracrcheck.importers.base import Imported, imported, malformed


class Native:
    name = "tracrcheck"
    mapping = "edges as they are; `scores`, where there are any, an object edge -> number"
    convert = "path.write_text(circuit.dumps())"

    def recognises(self, document: Any) -> bool:
        if isinstance(document, dict):
            return document.get("schema") == SCHEMA
        return isinstance(document, list) and all(isinstance(e, str) and " -> " in e for e in document)

    def read(self, document: Any, graph: ResidualGraph, *, threshold: float | None) -> Imported:
        if isinstance(document, list):
            if not all(isinstance(e, str) for e in document):
                raise malformed(
                    self.name, "a list of other things", "a list of edges such as 'tok -> a0.h0.v'"
                )
            return imported(self.name, Granularity(), graph, kept=[" ".join(e.split()) for e in document])
        circuit = Circuit.from_json(document)
        if circuit.graph != graph:
            raise CheckError(
                "TC133",
                "the circuit is of another graph than the model's",
                got=circuit.graph,
                wanted=graph,
                do="name the program, or the model, that the circuit was found in",
            )
        scores = document.get("scores") or {}
        if not isinstance(scores, dict) or not all(isinstance(x, (int, float)) for x in scores.values()):
            raise malformed(self.name, "`scores` of another kind", "an object, edge -> number")
        return imported(self.name, Granularity(), graph, kept=circuit.texts, scores=scores)
