"""Evidence and verdicts as the layers of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeprune_core.errors import CheckError
from edgeprune_core.graph import Edge
from tracrcheck.grading.edge_effects import Evidence, Weight
from tracrcheck.grading.verdict import Verdict
from tracrcheck.reports.render.html.circuits import Kind, Layer, Picture
from tracrcheck.reports.text import computes


def picture_of(evidence: Sequence[Evidence], layers: Sequence[Layer]) -> Picture:
    """Of one program. evidence: of its settings, one at least."""
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
    """What is required, each edge with its weight. permitted: those that can carry something too."""
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
    """The truth, with what some of these verdicts (over seeds) miss or have too many of."""
    truth = truth_layer(one, name=name)
    missing, extra = _counted([v.missing for v in verdicts]), _counted([v.extra for v in verdicts])
    kinds, notes = dict(truth.kinds), dict(truth.notes)
    graph = one.compiled.graph
    for counts, kind in ((extra, "extra"), (missing, "missing")):
        for text, n in counts.items():
            try:
                edge = graph.edge(text)
            except CheckError:
                continue  # a foreign edge: it is told with its verdict
            word = f"in {n} of {len(verdicts)} seeds" if len(verdicts) > 1 else ""
            kinds[edge] = "missing" if kind == "missing" else "extra"
            notes[edge] = "; ".join(part for part in (word, _why(one, edge, kind, truth.notes)) if part)
    return Layer(name=truth.name, kinds=kinds, notes=notes, fact=_fact(one, verdicts))


def weight_words(w: Weight) -> str:
    """How much of the output hangs on an edge."""
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


def _counted(lists: Sequence[Sequence[str]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for edges in lists:
        for edge in edges:
            counts[edge] = counts.get(edge, 0) + 1
    return counts


def _fact(one: Evidence, verdicts: Sequence[Verdict]) -> str:
    n = len(one.certificate.required)
    required = f"{n} required" if n else "vacuous"
    holds = sum(v.verdict == "HOLDS" for v in verdicts)
    if len(verdicts) == 1:
        return f"{required}, {verdicts[0].verdict}"
    return f"{required}, {holds} of {len(verdicts)} HOLD"
