"""Data for drawings of circuits, from certificates and verdicts.

A picture has layers, one for each setting (or method, or file) shown of one graph. A page lets the reader choose among
them, and components keep their places. Colour is never the only sign: each kind of edge has its own stroke and word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.graph import Edge, Reader, ResidualGraph
from tracrcheck.grading.edge_effects import Evidence, Weight
from tracrcheck.grading.verdict import Verdict
from tracrcheck.reports.text import computes

Kind = Literal["required", "missing", "extra", "permitted", "found"]

# In drawing order: wrong edges lie on top. The letter is the class of the path.
KINDS: dict[Kind, str] = {"permitted": "p", "found": "f", "required": "r", "extra": "x", "missing": "m"}
LEGEND: dict[Kind, str] = {
    "required": "required",
    "missing": "required, and missing",
    "extra": "extra",
    "permitted": "can carry something, by the weights",
    "found": "found",
}
# Extra and merely permitted edges drawn of one picture; all others are always drawn.
MOST = 300


@dataclass(frozen=True, kw_only=True)
class Layer:
    """kinds: edge -> its kind in this layer. notes: edge -> why it has that kind. fact: the outcome in a few words.
    more: number of further extra edges, which are left out."""

    name: str
    kinds: Mapping[Edge, Kind]
    notes: Mapping[Edge, str] = field(default_factory=dict)
    fact: str = ""
    more: int = 0

    @property
    def wrong(self) -> bool:
        return any(kind in ("missing", "extra") for kind in self.kinds.values())


@dataclass(frozen=True, kw_only=True)
class Picture:
    """name: title, unique on a page. labels: component -> what it computes, or empty if unknown. explained: how to read the
    notes."""

    name: str
    graph: ResidualGraph
    labels: Mapping[str, str]
    layers: tuple[Layer, ...]
    explained: str = ""

    @property
    def first(self) -> int:
        """The layer to show first: the first one with something wrong in it."""
        return next((n for n, layer in enumerate(self.layers) if layer.wrong), 0)

    @property
    def edges(self) -> list[Edge]:
        """The edges of all layers, in the order of the graph."""
        return sorted({edge for layer in self.layers for edge in layer.kinds})

    def cut_to(self, most: int) -> Picture:
        """Keeps at most `most` edges that no layer requires, and counts the others in `more`."""
        loose: dict[Edge, None] = {}
        for kind in ("extra", "permitted"):
            loose |= {e: None for layer in self.layers for e, k in layer.kinds.items() if k == kind}
        firm = {
            e
            for layer in self.layers
            for e, k in layer.kinds.items()
            if k in ("required", "missing", "found")
        }
        over = set([e for e in loose if e not in firm][most:])
        if not over:
            return self
        layers = []
        for layer in self.layers:
            kept = {e: k for e, k in layer.kinds.items() if e not in over}
            more = layer.more + sum(k == "extra" for e, k in layer.kinds.items() if e in over)
            layers.append(replace(layer, kinds=kept, more=more))
        return replace(self, layers=tuple(layers))


def picture_of(evidence: Sequence[Evidence], layers: Sequence[Layer]) -> Picture:
    """The picture of one program. evidence: at least one of its settings."""
    compiled = evidence[0].compiled
    nodes = {*map(str, compiled.graph.writers)}
    labels = {node: computes(compiled, node) for node in nodes if node in compiled.provenance}
    return Picture(
        name=compiled.program.name,
        graph=compiled.graph,
        labels={**labels, "out": "the output"},
        layers=tuple(layers),
        explained=WEIGHT,
    )


def truth_layer(one: Evidence, *, name: str = "", permitted: bool = False) -> Layer:
    """The required edges with their weights. permitted: include edges that can carry something."""
    certificate = one.certificate
    kinds: dict[Edge, Kind] = {}
    if permitted:
        kinds |= dict.fromkeys(certificate.permitted, "permitted")
    kinds |= dict.fromkeys(certificate.required, "required")
    notes = {edge: weight_words(weight) for edge, weight in one.weights.items()}
    if certificate.other is not None:
        notes |= {e: "in another smallest circuit" for e in certificate.other if e not in notes}
    n = len(certificate.required)
    fact = f"{n} required of {len(certificate.permitted)} permitted" if n else "vacuous: nothing is required"
    return Layer(name=name or one.setting.ablation, kinds=kinds, notes=notes, fact=fact)


def judged_layer(one: Evidence, verdicts: Sequence[Verdict], *, name: str = "") -> Layer:
    """The required edges, with those that some of these verdicts (one per seed) miss or have in excess."""
    truth = truth_layer(one, name=name)
    missing, extra = (
        Counter(chain.from_iterable(v.missing for v in verdicts)),
        Counter(chain.from_iterable(v.extra for v in verdicts)),
    )
    kinds, notes = dict(truth.kinds), dict(truth.notes)
    graph = one.compiled.graph
    for counts, kind in ((extra, "extra"), (missing, "missing")):
        for text, n in counts.items():
            try:
                edge = graph.edge(text)
            except CheckError:
                continue  # not an edge of this graph: its verdict says so
            word = f"in {n} of {len(verdicts)} seeds" if len(verdicts) > 1 else ""
            kinds[edge] = "missing" if kind == "missing" else "extra"
            notes[edge] = "; ".join(part for part in (word, _why(one, edge, kind, truth.notes)) if part)
    return Layer(name=truth.name, kinds=kinds, notes=notes, fact=_fact(one, verdicts))


def weight_words(w: Weight) -> str:
    """How far the outputs move without an edge."""
    of = f"{w.n_of:,} items" if w.n_items == w.n_of else f"{w.n_items:,} of {w.n_of:,} items"
    return f"weighs {w.moved:.2g}: outputs change on {w.share:.0%} of {of}"


WEIGHT = (
    "Weight: how far outputs move, at most, where the required circuit is run without the edge, in units of the output's "
    "range; and on how many items (inputs, or pairs of them) they move beyond the tolerance."
)


def _why(one: Evidence, edge: Edge, kind: str, weights: Mapping[Edge, str]) -> str:
    if kind == "missing" or edge in weights:
        return weights.get(edge, "")
    if edge not in one.certificate.permitted:
        return "carries nothing, by the weights"
    return "can carry something, and is not needed"


def _fact(one: Evidence, verdicts: Sequence[Verdict]) -> str:
    n = len(one.certificate.required)
    required = f"{n} required" if n else "vacuous"
    holds = sum(v.verdict == "HOLDS" for v in verdicts)
    if len(verdicts) == 1:
        return f"{required}, {verdicts[0].verdict}"
    return f"{required}, {holds} of {len(verdicts)} HOLD"


# Circuits that nobody certified ------------------------------------------------------------------------


def node_of(reader: Reader) -> str:
    """The component that a reader belongs to."""
    return str(reader).rsplit(".", 1)[0] if reader.port else str(reader)


def counts_of(circuit: Circuit) -> dict[str, str]:
    """Labels for components whose function is unknown: how many edges each reads and writes."""
    writes = Counter(str(edge.writer) for edge in circuit)
    reads = Counter(node_of(edge.reader) for edge in circuit)
    return {
        node: ", ".join(f"{word} {n}" for word, n in (("reads", reads[node]), ("writes", writes[node])) if n)
        for node in writes | reads
    }


def by_reader(circuit: Circuit) -> dict[str, list[str]]:
    """Reader -> the writers it reads."""
    into: dict[str, list[str]] = {}
    for edge in circuit:
        into.setdefault(str(edge.reader), []).append(str(edge.writer))
    return into
