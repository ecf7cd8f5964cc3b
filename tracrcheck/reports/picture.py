"""Data for drawings of circuits, from certificates and verdicts.

A picture has layers, one for each setting (or method, or file) shown of one graph. A page lets the reader choose among
them, and components keep their places. Colour is never the only sign: each kind of edge has its own stroke and word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.graph import LARGE, Edge, Reader, ResidualGraph
from tracrcheck.grading.edge_effects import Evidence, Weight
from tracrcheck.grading.verdict import Verdict
from tracrcheck.reports.document import Grid
from tracrcheck.reports.text import computes

Kind = Literal["required", "missing", "extra", "permitted", "found", "shared", "only A", "only B"]


@dataclass(frozen=True)
class Stroke:
    """letter: the class of the path on a page, whose style sheet colours it. The rest is for files."""

    letter: str
    meaning: str
    colour: str = "#1f4e9c"
    width: str = "2.0"
    dash: str = ""


# In drawing order: wrong edges lie on top. The last three compare two circuits, in colours that colour-blind readers can
# distinguish (Okabe and Ito 2008), and with dashes for print.
KINDS: dict[Kind, Stroke] = {
    "permitted": Stroke("p", "can carry something, by the weights", "#c8ccd2", "1.0"),
    "found": Stroke("f", "found"),
    "required": Stroke("r", "required"),
    "extra": Stroke("x", "extra"),
    "missing": Stroke("m", "required, and missing"),
    "only B": Stroke("b", "only B", "#009e73", dash="2 4"),
    "only A": Stroke("a", "only A", "#d55e00", dash="9 4"),
    "shared": Stroke("s", "shared"),
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
    def wrong(self) -> bool:
        return any(layer.wrong for layer in self.layers)

    @property
    def first(self) -> int:
        """The layer to show first: the first one with something wrong in it."""
        return next((n for n, layer in enumerate(self.layers) if layer.wrong), 0)

    @property
    def edges(self) -> list[Edge]:
        """The edges of all layers, in the order of the graph."""
        return sorted({edge for layer in self.layers for edge in layer.kinds})

    @property
    def strokes(self) -> list[Stroke]:
        """Of all layers, what is wrong first."""
        there = {kind for layer in self.layers for kind in layer.kinds.values()}
        return [stroke for kind, stroke in reversed(KINDS.items()) if kind in there]

    def carries(self, edge: Edge) -> str:
        writer, reader = str(edge.writer), node_of(edge.reader)
        into = "the output" if reader == "out" else self.labels.get(reader) or reader
        return f"{self.labels.get(writer) or writer}, into {into}"

    def cut_to(self, most: int) -> Picture:
        """Keeps at most `most` edges that no layer requires, and counts the others in `more`."""
        of = {
            kind: {e: None for layer in self.layers for e, k in layer.kinds.items() if k == kind}
            for kind in KINDS
        }
        loose = of.pop("extra") | of.pop("permitted")
        over = set([e for e in loose if not any(e in firm for firm in of.values())][most:])
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
    nodes = (*map(str, compiled.graph.writers), "out")
    labels = {node: computes(compiled, node) for node in nodes}
    return Picture(
        name=compiled.program.name,
        graph=compiled.graph,
        labels=labels,
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
    kinds, notes = dict(truth.kinds), dict(truth.notes)
    graph = one.compiled.graph
    wrong: tuple[Kind, Kind] = ("extra", "missing")
    for kind in wrong:
        for text, n in Counter(text for v in verdicts for text in getattr(v, kind)).items():
            try:
                edge = graph.edge(text)
            except CheckError:
                continue  # not an edge of this graph: its verdict says so
            word = f"in {n} of {len(verdicts)} seeds" if len(verdicts) > 1 else ""
            kinds[edge] = kind
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
    n, holds = len(one.certificate.required), sum(v.verdict == "HOLDS" for v in verdicts)
    said = verdicts[0].verdict if len(verdicts) == 1 else f"{holds} of {len(verdicts)} HOLD"
    return f"{n} required, {said}" if n else f"vacuous, {said}"


# Circuits without a certificate ---------------------------------------------------------------------------


def node_of(reader: Reader) -> str:
    """The component that a reader belongs to."""
    return str(reader).rsplit(".", 1)[0] if reader.port else str(reader)


def circuit_picture(circuit: Circuit, *, name: str, layer: Layer | None = None) -> Picture:
    """A circuit whose components have no known function: each is labelled with how many edges it reads and writes."""
    reads, writes = Counter(node_of(e.reader) for e in circuit), Counter(str(e.writer) for e in circuit)
    labels = _labels({"reads": reads, "writes": writes}, lambda word, n: f"{word} {n}")
    layer = layer or Layer(name=name, kinds=dict.fromkeys(circuit, "found"))
    return Picture(name=name, graph=circuit.graph, labels=labels, layers=(layer,))


def overlap_picture(parts: Mapping[Kind, Circuit]) -> Picture:
    """Two circuits in one drawing. Each component is labelled with its number of edges in each part."""
    counts = {
        k.removeprefix("only "): Counter(n for e in part for n in _ends(e)) for k, part in parts.items()
    }
    kinds: dict[Edge, Kind] = {edge: kind for kind, part in parts.items() for edge in part}
    graph = next(iter(parts.values())).graph
    labels = _labels(counts, lambda word, n: f"{n} {word}")
    return Picture(name="overlap", graph=graph, labels=labels, layers=(Layer(name="overlap", kinds=kinds),))


def _ends(edge: Edge) -> tuple[str, str]:
    return str(edge.writer), node_of(edge.reader)


def _labels(counts: Mapping[str, Counter[str]], words: Callable[[str, int], str]) -> dict[str, str]:
    """Component -> its counts, in words."""
    nodes = {node for of in counts.values() for node in of}
    return {n: ", ".join(words(word, of[n]) for word, of in counts.items() if of[n]) for n in nodes}


def by_reader(circuit: Circuit) -> dict[str, list[str]]:
    """Reader -> the writers it reads."""
    into: dict[str, list[str]] = {}
    for edge in circuit:
        into.setdefault(str(edge.reader), []).append(str(edge.writer))
    return into


def is_folded(circuit: Circuit) -> bool:
    """Whether a circuit has too many components for a drawing of its edges; its layers are then folded."""
    return len(circuit) > MOST and circuit.graph.n_edges > LARGE


def by_layers(circuit: Circuit, *, title: str) -> Grid:
    """A large circuit with its layers folded: how many edges lead from one into another."""
    layers = [str(layer) for layer in range(circuit.graph.n_layers)]
    counts: Counter[tuple[str, str]] = Counter()
    for edge in circuit:
        writer = str(edge.writer.layer) if edge.writer.kind in ("head", "mlp") else "embedding"
        counts[writer, str(edge.reader.layer) if edge.reader.kind != "out" else "out"] += 1
    return Grid(title=title, writers=("embedding", *layers), readers=(*layers, "out"), counts=counts)
