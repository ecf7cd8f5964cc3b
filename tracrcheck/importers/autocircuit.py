"""AutoCircuit (UFO-101/auto-circuit, arXiv 2407.08734): edge names, or prune scores, as JSON.

An edge is named `{source}->{destination}` (`auto_circuit/types.py`): sources `Resid Start` (both embeddings), `A0.1`,
`MLP 0`; destinations `A0.1.Q` (and K, V) where q, k and v are separate, else `A0.1`, then `MLP 0` and `Resid End`.
These are read:

    a list of names                          a circuit
    name -> list of token positions          a circuit, as in `metrics/official_circuits/`
    name -> true or false                    a circuit
    name -> score                            scores: `{e.name: e.prune_score(ps).item() for e in model.edges}`
    destination module -> nested numbers     scores: `PruneScores`, by `tensor.tolist()`

Scores count by magnitude, as AutoCircuit thresholds them (`prune.py`: `abs() >= threshold`). AutoCircuit's edges at
single token positions are one edge for us: it is kept if any of them is, and has the largest of their scores.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from typing import Any

from edgeprune_core.graph import ResidualGraph
from tracrcheck.importers.base import Imported, imported, is_number, kept_above, malformed, no_threshold
from tracrcheck.importers.granularity import MERGED, Granularity

_NODE = re.compile(r"A(\d+)\.(\d+)(?:\.([QKV]))?")
_MLP = re.compile(r"MLP (\d+)")
_MODULE = re.compile(r"blocks\.(\d+)\.hook_(attn_in|[qkv]_input|mlp_in|resid_post)")


class AutoCircuit:
    name = "autocircuit"
    mapping = (
        "Resid Start is `tok+pos`, Resid End is `out`; a destination A0.1 without Q, K or V is all three; an edge is "
        "kept where it is kept at any token position; scores count by magnitude"
    )
    convert = "json.dump({e.name: e.prune_score(prune_scores).item() for e in model.edges}, file)"

    def recognises(self, document: Any) -> bool:
        if not isinstance(document, (list, dict)) or not document:
            return False
        names = list(document)
        return all(isinstance(n, str) for n in names) and (
            all("->" in n and not _is_other(n) for n in names)
            or (isinstance(document, dict) and all(_MODULE.fullmatch(n) for n in names))
        )

    def read(self, document: Any, graph: ResidualGraph, *, threshold: float | None) -> Imported:
        if not self.recognises(document):
            wanted = "a list of 'MLP 0->A1.0.V', or an object of such names or of modules"
            raise malformed(self.name, "something else", wanted)
        if isinstance(document, list):
            no_threshold(self.name, threshold)
            return self._imported(graph, [self._edge(n) for n in document])
        if _MODULE.fullmatch(next(iter(document))):
            pairs = [pair for name, rows in document.items() for pair in self._of_module(name, rows, graph)]
            return self._scored(graph, pairs, threshold)
        if all(isinstance(value, (list, bool)) for value in document.values()):
            no_threshold(self.name, threshold)
            named = {self._edge(n): bool(at) for n, at in document.items()}
            kept = [name for name, at in named.items() if at]
            says_cut = any(at is False for at in document.values())
            return self._imported(graph, kept, named=named if says_cut else None)
        pairs = [(self._edge(n), self._number(n, value)) for n, value in document.items()]
        return self._scored(graph, pairs, threshold)

    def _scored(
        self, graph: ResidualGraph, pairs: list[tuple[str, float]], threshold: float | None
    ) -> Imported:
        scores: dict[str, float] = {}
        for name, score in pairs:
            scores[name] = max(abs(score), scores.get(name, 0.0))
        return self._imported(graph, kept_above(self.name, scores, threshold), scores, named=scores)

    def _imported(
        self,
        graph: ResidualGraph,
        kept: list[str],
        scores: dict[str, float] | None = None,
        named: Collection[str] | None = None,
    ) -> Imported:
        names = [*kept, *(scores or {})]
        merged = any(re.search(r"-> a\d+\.h\d+$", name) for name in names)
        if merged and any(re.search(r"\.[qkv]$", name) for name in names):
            raise malformed(self.name, "A0.0 and A0.0.Q among the destinations", "one or the other")
        granularity = Granularity(embeddings="merged", merged_qkv=merged)
        return imported(self.name, granularity, graph, kept=kept, scores=scores, named=named)

    # Names -------------------------------------------------------------------------------------------------

    def _edge(self, name: str) -> str:
        source, _, destination = name.partition("->")
        return f"{self._node(source.strip())} -> {self._node(destination.strip())}"

    def _node(self, name: str) -> str:
        if name in (ends := {"Resid Start": MERGED, "Resid End": "out"}):
            return ends[name]
        if match := _MLP.fullmatch(name):
            return f"m{match[1]}"
        if match := _NODE.fullmatch(name):
            return f"a{match[1]}.h{match[2]}" + (f".{match[3].lower()}" if match[3] else "")
        raise malformed(self.name, f"a node '{name}'", "Resid Start, A0.0, A0.0.Q, MLP 0 or Resid End")

    def _number(self, name: str, value: Any) -> float:
        if (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and is_number(value)
            and math.isfinite(value)
        ):
            return float(value)
        raise malformed(self.name, f"{name}: {value!r:.60}", "numbers for all edges")

    # Prune scores ------------------------------------------------------------------------------------------

    def _of_module(self, name: str, rows: Any, graph: ResidualGraph) -> Iterator[tuple[str, float]]:
        """[token position,] [head,] source -> (edge, score). Sources: Resid Start, then the heads and MLP of each layer."""
        match = _MODULE.fullmatch(name)
        assert match is not None
        layer, kind = int(match[1]), match[2]
        headed = kind == "attn_in" or kind.endswith("_input")
        depth = 2 if headed else 1
        if (found := _depth(rows)) not in (depth, depth + 1):
            raise malformed(self.name, f"{name} of {found} axes", "[position,] [head,] source")
        sources = [MERGED, *(str(w) for w in graph.writers[graph.n_embeddings :])]
        for at_position in rows if found > depth else [rows]:
            for head, row in enumerate(at_position if headed else [at_position]):
                reader = {"mlp_in": f"m{layer}", "resid_post": "out", "attn_in": f"a{layer}.h{head}"}.get(
                    kind
                )
                reader = reader or f"a{layer}.h{head}.{kind[0]}"
                if not isinstance(row, list) or len(row) > len(sources):
                    raise malformed(self.name, f"{name} of another shape", "[position,] [head,] source")
                for source, score in zip(sources, row, strict=False):
                    number = int(score) if isinstance(score, bool) else score
                    yield f"{source} -> {reader}", self._number(name, number)


def _is_other(name: str) -> bool:
    """EAP-IG's `input->a0.h0<q>` and our own `tok -> m0`."""
    return " -> " in name or "<" in name or name.startswith("input")


def _depth(rows: Any) -> int:
    return 1 + _depth(rows[0]) if isinstance(rows, list) and rows else 0
