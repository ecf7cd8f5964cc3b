"""The circuit that a method found in a trained model: how large, how faithful, the drawing, and its JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.faithfulness import Matrix
from edgeprune_core.graph import Edge
from edgeprune_core.metrics import METRICS
from tracrcheck.reports import document as doc
from tracrcheck.reports.document import number
from tracrcheck.reports.faithfulness import matrix_block, matrix_document
from tracrcheck.reports.faithfulness import number as rounded
from tracrcheck.reports.picture import MOST, Layer, by_layers, by_reader, circuit_picture, is_folded, node_of
from tracrcheck.reports.render import grid
from tracrcheck.reports.render.graph import svg
from tracrcheck.reports.saved import DISCOVERY, DiscoveryFile
from tracrcheck.trained.discover import Found

KL = METRICS["kl"].label

# Heads and MLPs that the summary names.
MOST_USED = 10
# Kinds of readers, in the order of a layer.
KINDS = ("q", "k", "v", "mlp", "out")


def found_lines(found: Found, *, listed: bool = False) -> list[str]:
    """How many edges, how near to the model, the edges by kind and the components with most of them; fits a screen.

    listed: a line for each reader too, with what it reads.
    """
    answer, circuit = found.answer, found.circuit
    if circuit is None:
        return [f"FAILS: {answer.fault or 'no_result'}: {answer.detail}"]
    others = ""
    if found.kl_held_out is not None:
        others = f"; on {found.n_held_out:,} held-out prompts, {found.kl_held_out:.3f} in the mean"
    dropped = f", {found.dangling} dangling ones dropped" if found.dangling else ""
    return [
        f"{len(circuit):,} of {found.n_edges:,} edges{dropped}, found in {answer.seconds:.0f} s; on the {found.n_prompts:,} "
        f"prompts it was found on, KL {found.kl_mean:.3f} nats in the mean, {found.kl_worst:.3f} at worst{others}",
        *_summary(circuit),
        *(
            f"    {reader:<9} <- {', '.join(writers)}"
            for reader, writers in (by_reader(circuit) if listed else {}).items()
        ),
    ]


def _summary(circuit: Circuit) -> list[str]:
    kinds: Counter[str] = Counter(edge.reader.port or edge.reader.kind for edge in circuit)
    ends = [(edge.writer.kind, str(edge.writer)) for edge in circuit]
    ends += [(edge.reader.kind, node_of(edge.reader)) for edge in circuit]
    used = Counter(node for kind, node in ends if kind in ("head", "mlp"))
    lines = [f"    edges into {', '.join(f'{kind} {kinds[kind]:,}' for kind in KINDS if kinds[kind])}"]
    most = [f"{node} {n:,}" for node, n in used.most_common(MOST_USED)]
    return lines + ([f"    most edges: {', '.join(most)}"] if most else [])


def document(saved: DiscoveryFile) -> doc.Document:
    d = saved.document
    asked, matrix, fault = d["asked"], d["faithfulness"], None
    subject = f"{asked['task']} in {asked['model']}"
    if d["circuit"] is None:
        reason = d["fault"] or "no_result"
        fault = doc.Finding(word="FAILS", title=f"{asked['method']} on {subject}", kind=reason, reason=reason)
    unjudged = "The circuit was not judged on held-out prompts." if fault is None else ""
    case = doc.Case(f"{asked['method']}, {asked['ablation']}", d["seconds"], fault)
    return doc.Document(
        command="discover",
        title=f"{subject}: {asked['method']}",
        word="FAILS" if fault else _word(matrix),
        good=not fault,
        outcome=f"no circuit, {fault.reason}"
        if fault
        else f"{d['n_edges']:,} of {d['n_graph_edges']:,} edges",
        scope=f"{asked['method']} on {subject}, {asked['ablation']} ablation.",
        summary=(unjudged if matrix is None else matrix["sentence"],),
        tiles=_tiles(d),
        sections=_sections(d),
        run=saved.run,
        suites={subject: [case]},
    )


def _sections(d: Mapping[str, Any]) -> list[doc.Section]:
    matrix, sections = d["faithfulness"], []
    if matrix is not None:
        sentence, table = doc.Lines([matrix["sentence"]], "note"), matrix_block(matrix)
        sections.append(doc.Section("Faithfulness", [sentence, table], on=("html",)))
        sections.append(doc.Section("Every cell", [table], folded=True, on=("markdown", "comment")))
    if d["circuit"]:
        circuit = Circuit.from_json(d["circuit"])
        reads = doc.Table.of(
            by_reader(circuit).items(),
            doc.Column("reader", lambda of: of[0]),
            number("edges", lambda of: len(of[1])),
            doc.Column("reads", lambda of: doc.Code(", ".join(of[1]))),
            caption="What each reader reads",
        )
        sections.append(doc.Section("Circuit", _drawing(circuit, d), on=("html",)))
        sections.append(doc.Section("Edges by reader", [reads], folded=True, on=("html",)))
    asked = doc.Facts(tuple((name, str(value)) for name, value in d["asked"].items()))
    return [*sections, doc.Section("Asked", [asked], on=("html",))]


def _word(matrix: Mapping[str, Any] | None) -> str:
    if matrix is None:
        return "not judged"
    good = sum(cell["faithful"] for cell in matrix["cells"])
    return "faithful" if good == len(matrix["cells"]) else "partly faithful" if good else "not faithful"


def _tiles(d: Mapping[str, Any]) -> list[doc.Tile]:
    n = d["n_edges"]
    tiles = [
        doc.Tile(f"of {d['n_graph_edges']:,} edges", "none" if n is None else n),
        doc.Tile("seconds of the method", f"{d['seconds']:,.0f}"),
    ]
    if d.get("kl_mean") is not None:
        tiles.append(doc.Tile(f"{KL}: mean on the prompts it was found on", rounded(d["kl_mean"])))
        tiles.append(doc.Tile(f"{KL}: worst of these prompts", rounded(d["kl_worst"])))
    if d.get("kl_held_out") is not None:
        tiles.append(
            doc.Tile(f"{KL}: mean on {d['n_held_out']:,} held-out prompts", rounded(d["kl_held_out"]))
        )
    if d["faithfulness"] is not None:
        cells = d["faithfulness"]["cells"]
        good = sum(cell["faithful"] for cell in cells)
        kind = "good" if good == len(cells) else "bad" if not good else "unsure"
        tiles.append(doc.Tile(f"of {len(cells)} cells faithful", good, kind))
    return tiles


def _drawing(circuit: Circuit, d: Mapping[str, Any]) -> list[doc.Block]:
    """The edges with the largest scores where there are many, or else the first ones; in a large graph, a table of them, and how
    many edges lead from each layer into each."""
    scores, asked = d.get("scores") or {}, d["asked"]
    edges = sorted(circuit, key=lambda e: -scores.get(str(e), 0.0))
    shown, more = edges[:MOST], max(0, len(edges) - MOST)
    if is_folded(circuit):
        folded = by_layers(circuit, title=f"{len(circuit):,} edges, by the layers that they join")
        return [
            folded,
            doc.Lines(
                ["Darker: more edges; point at a cell for how many. A layer is its heads and its MLP."],
                "note",
            ),
            _strongest(shown, scores, len(circuit)),
        ]
    layer = Layer(
        name=f"{asked['ablation']} ablation",
        kinds=dict.fromkeys(shown, "found"),
        notes={e: f"scores {scores[str(e)]:.3g}" for e in shown if str(e) in scores},
        fact=f"{len(circuit):,} edges found",
    )
    picture = circuit_picture(circuit, name=f"{asked['task']} in {asked['model']}", layer=layer)
    left_out = f"{len(shown):,} of the edges are drawn; {more:,} more are listed below."
    return [doc.Drawing(picture=picture, most=MOST), doc.Lines([left_out] if more else [], "note")]


def _strongest(edges: Sequence[Edge], scores: Mapping[str, float], n_edges: int) -> doc.Table:
    which = (
        f"The {len(edges):,} edges with the largest scores" if scores else f"The first {len(edges):,} edges"
    )
    return doc.Table.of(
        edges,
        doc.Column("edge", lambda e: str(e)),
        number("score", lambda e: f"{scores[str(e)]:.3g}" if str(e) in scores else ""),
        doc.choice("into", lambda e: e.reader.port or e.reader.kind),
        caption=which,
        note=f"All {n_edges:,} are listed below, by reader.",
    )


def circuit_svg(circuit: Circuit, *, name: str, title: str) -> str:
    """The circuit as an SVG file; a large one with its layers folded."""
    if is_folded(circuit):
        return grid.svg(by_layers(circuit, title=f"{title}: {len(circuit):,} edges"))
    return svg(circuit_picture(circuit, name=name), title=title)


def discovery_document(
    asked: dict[str, Any], found: Found, matrix: Matrix | None, run: Mapping[str, Any]
) -> dict[str, Any]:
    """As docs/json.md says. run: how they were made (`runs.base.made_now`)."""
    circuit = found.circuit
    return {
        "schema": DISCOVERY,
        "run": dict(run),
        "asked": asked,
        "fault": found.answer.fault,
        "seconds": found.answer.seconds,
        "n_edges": None if circuit is None else len(circuit),
        "n_graph_edges": found.n_edges,
        "n_dangling": found.dangling,
        "kl_mean": found.kl_mean,
        "kl_worst": found.kl_worst,
        "kl_held_out": found.kl_held_out,
        "n_held_out": found.n_held_out,
        "circuit": None if circuit is None else circuit.to_json(),
        "scores": _scores(found),
        "faithfulness": None if matrix is None else matrix_document(matrix),
    }


def _scores(found: Found) -> dict[str, float] | None:
    """The method's score of each edge of its circuit, where it gave any."""
    circuit, scores = found.circuit, found.answer.scores
    if circuit is None or scores is None:
        return None
    return {
        str(edge): float(score)
        for edge, score in zip(circuit.graph.edges, scores, strict=True)
        if edge in circuit
    }
