"""Circuits and scores of the models that the function `hooked` of `tracrcheck.peers` makes, in the formats of EAP-IG and AutoCircuit.

Those models have one layer more, in front, whose MLP is the position embedding, so the tools distinguish edges as we do
(`peers/names.py`). A file does not say that its model is one of them, so the format has to be named.

    eap_ig_hooked        as eap_ig: an object with `cfg`, `nodes` and `edges`, name -> {score, in_graph}
    autocircuit_hooked   as autocircuit: an object, name -> score, or name -> true or false

Edges of the front layer and of heads of zeros carry nothing and are not read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from tracrcheck.error_codes import user_error
from tracrcheck.importers.base import Imported, imported, is_number, kept_above, malformed, no_threshold
from tracrcheck.importers.granularity import Granularity
from tracrcheck.peers.names import Correspondence

# Edge -> whether it is kept, and its score, where given.
Entries = Mapping[str, tuple[bool | None, float | None]]


def correspondence_of(graph: ResidualGraph) -> Correspondence:
    """As `hooked` makes models by default."""
    return Correspondence(graph, True, max(graph.n_heads, 2))


@dataclass
class _Hooked:
    name: str
    names: str  # in `peers.names.NAMES`
    mapping: str
    convert: str

    def recognises(self, document: Any) -> bool:
        return False

    def read(self, document: Any, graph: ResidualGraph, *, threshold: float | None) -> Imported:
        entries = self.entries(document)
        known = correspondence_of(graph).known(self.names)
        if foreign := [name for name in entries if name not in known]:
            shape = correspondence_of(graph)
            raise user_error(
                "TC133.edges", got=", ".join(foreign[:5]), do="name the program that the model was made of",
                layers=shape.tool_graph.n_layers, heads=shape.n_heads,
            )  # fmt: skip
        ours = {
            str(edge): entries[name] for name, edge in known.items() if edge is not None and name in entries
        }
        scores = {edge: abs(score) for edge, (_, score) in ours.items() if score is not None}
        if threshold is None and any(kept is not None for kept, _ in ours.values()):
            kept = [edge for edge, (there, _) in ours.items() if there]
        elif scores or not ours:
            kept = kept_above(self.name, scores, threshold)
        else:
            no_threshold(self.name, threshold)
        return imported(self.name, Granularity(), graph, kept=kept, scores=scores, named=ours)

    def entries(self, document: Any) -> Entries:
        """Errors: TC132."""
        raise NotImplementedError

    def _score(self, name: str, score: Any) -> float:
        number = isinstance(score, (int, float)) and not isinstance(score, bool)
        if number and is_number(score) and math.isfinite(score):
            return float(score)
        raise malformed(self.name, f"{name}: {score!r:.60}", "a number for each edge")

    def _edges(self, circuit: Circuit) -> Iterable[tuple[str, bool]]:
        """Every edge of the tool's model, and whether the circuit keeps it."""
        for name, edge in correspondence_of(circuit.graph).known(self.names).items():
            yield name, edge in circuit


class EapIgHooked(_Hooked):
    def entries(self, document: Any) -> Entries:
        edges = document.get("edges") if isinstance(document, dict) else None
        if not isinstance(edges, dict):
            raise malformed(self.name, "other parts", "an object with cfg, nodes and edges")
        found: dict[str, tuple[bool | None, float | None]] = {}
        for name, entry in edges.items():
            if not isinstance(entry, dict) or not isinstance(entry.get("in_graph"), (bool, int)):
                raise malformed(self.name, f"{name}: {entry!r:.60}", "{score, in_graph}")
            score = entry.get("score")
            found[name] = bool(entry["in_graph"]), None if score is None else self._score(name, score)
        return found

    def write(self, circuit: Circuit, *, d_model: int) -> dict[str, Any]:
        """EAP-IG drops nodes without inputs: the front MLP, which writes the position embedding, keeps one."""
        shape, kept = correspondence_of(circuit.graph), dict(self._edges(circuit))
        kept["input->m0"] = True
        parents = {name.partition("->")[0] for name, there in kept.items() if there}
        nodes = {str(w): str(w) in parents for w in shape.tool_graph.writers[1:]}
        return {
            "cfg": {
                "n_layers": shape.tool_graph.n_layers,
                "n_heads": shape.n_heads,
                "parallel_attn_mlp": False,
                "d_model": d_model,
            },
            "nodes": {
                name: {"in_graph": there}
                for name, there in ({"input": True} | nodes | {"logits": True}).items()
            },
            "edges": {name: {"score": float(there), "in_graph": there} for name, there in kept.items()},
        }


class AutoCircuitHooked(_Hooked):
    def entries(self, document: Any) -> Entries:
        if not isinstance(document, dict) or not document:
            raise malformed(self.name, "something else", "an object, edge -> score, or edge -> true or false")
        if all(isinstance(entry, bool) for entry in document.values()):
            return {name: (entry, None) for name, entry in document.items()}
        return {name: (None, self._score(name, entry)) for name, entry in document.items()}

    def write(self, circuit: Circuit, *, d_model: int) -> dict[str, bool]:
        return dict(self._edges(circuit))


EAP_IG_HOOKED = EapIgHooked(
    "eap_ig_hooked",
    "eap_ig",
    "of a model that `tracrcheck.peers.hooked` made: m0 is `pos`, and layer l is l - 1; scores count by magnitude",
    "graph.to_json(path)",
)
AUTOCIRCUIT_HOOKED = AutoCircuitHooked(
    "autocircuit_hooked",
    "autocircuit",
    "of a model that `tracrcheck.peers.hooked` made: MLP 0 is `pos`, and layer l is l - 1; scores count by magnitude",
    "json.dump({e.name: e.prune_score(prune_scores).item() for e in model.edges}, file)",
)
