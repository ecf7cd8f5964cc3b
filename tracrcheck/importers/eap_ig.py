"""EAP-IG (hannamw/EAP-IG, arXiv 2403.17806): `Graph.to_json`.

An object with `cfg` (n_layers, n_heads, ...), `nodes` and `edges`: name -> {score, in_graph}. Edges are named
`{parent}->{child}` with `<q>`, `<k>` or `<v>` after a head: `input->a0.h0<q>`, `m0->m1`, `a1.h0->logits`. `input`
patches the token embedding alone (`hook_embed`), so the position embedding is always kept.

Scores count by magnitude, the default of `apply_topn` and `apply_threshold`. Only edges matter: `evaluate_graph`
derives the nodes from them. Graphs of neurons are not read: our graphs have no parts of edges.
"""

from __future__ import annotations

import re
from typing import Any

from edgeprune_core.graph import ResidualGraph
from tracrcheck.error_codes import user_error
from tracrcheck.importers.base import Imported, imported, malformed
from tracrcheck.importers.granularity import Granularity

_EDGE = re.compile(r"(input|a\d+\.h\d+|m\d+)->(a\d+\.h\d+|m\d+|logits)(?:<([qkv])>)?")


class EapIg:
    name = "eap_ig"
    mapping = (
        "input is `tok`, logits is `out`; the position embedding cannot be cut: its edges are kept and not judged; "
        "scores count by magnitude"
    )
    convert = "graph.to_json(path)"

    def recognises(self, document: Any) -> bool:
        return isinstance(document, dict) and {"cfg", "nodes", "edges"} <= set(document)

    def read(self, document: Any, graph: ResidualGraph, *, threshold: float | None) -> Imported:
        if not self.recognises(document) or not isinstance(document["edges"], dict):
            raise malformed(self.name, "other parts", "an object with cfg, nodes and edges")
        self._check(document, graph)
        scores: dict[str, float] = {}
        kept = []
        for name, entry in document["edges"].items():
            edge = self._edge(name)
            if not isinstance(entry, dict) or not isinstance(entry.get("in_graph"), (bool, int)):
                raise malformed(self.name, f"{name}: {entry!r}", "{score, in_graph}")
            if isinstance(score := entry.get("score"), (int, float)):
                scores[edge] = abs(score)
            elif threshold is not None:
                raise malformed(
                    self.name, f"{name} without a score", "a score of each edge, with --threshold"
                )
            if entry["in_graph"]:
                kept.append(edge)
        if threshold is not None:
            kept = [edge for edge, score in scores.items() if score >= threshold]
        named = [self._edge(name) for name in document["edges"]]
        level = Granularity(embeddings="tokens_only")
        return imported(self.name, level, graph, kept=kept, scores=scores, named=named)

    def _check(self, document: Any, graph: ResidualGraph) -> None:
        cfg = document["cfg"] if isinstance(document["cfg"], dict) else {}
        got = (cfg.get("n_layers"), cfg.get("n_heads"), bool(cfg.get("parallel_attn_mlp")))
        wanted = (graph.n_layers, graph.n_heads, graph.parallel_blocks)
        if got != wanted:
            hooked = "add --format eap_ig_hooked, if the model is one that `tracrcheck.peers.hooked` made"
            raise user_error(
                "TC133.graph",
                do=hooked if got[0] == graph.n_layers + 1 else "",
                got="{} layers, {} heads, parallel blocks: {}".format(*got),
                wanted="{} layers, {} heads, parallel blocks: {}".format(*wanted),
            )
        nodes = document["nodes"].items() if isinstance(document["nodes"], dict) else ()
        for name, entry in nodes:
            neurons = entry.get("neurons", []) if isinstance(entry, dict) else []
            if not isinstance(neurons, list):
                raise malformed(self.name, f"{neurons!r} for the neurons of {name}", "a list, or none")
            if not all(neurons):
                raise malformed(
                    self.name, f"some neurons of {name}", "whole nodes: part of an edge is no edge"
                )

    def _edge(self, name: str) -> str:
        match = _EDGE.fullmatch(name)
        if match is None or (match[3] is None) == match[2].startswith("a"):
            raise malformed(self.name, f"an edge '{name}'", "such as 'input->a0.h0<q>' or 'm0->logits'")
        writer = "tok" if match[1] == "input" else match[1]
        reader = "out" if match[2] == "logits" else match[2] + (f".{match[3]}" if match[3] else "")
        return f"{writer} -> {reader}"
