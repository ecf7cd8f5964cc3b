"""The page of a circuit that a method found in a trained model: the drawing, and how faithful it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge
from tracrcheck.reports.faithfulness import DIRECTIONS, metric_label, number, span
from tracrcheck.reports.render.graph import node_of
from tracrcheck.reports.render.html.circuits import MOST, Layer, Picture, circuit_figure
from tracrcheck.reports.render.html.elements import Child, Html, badge, code, joined, tag
from tracrcheck.reports.render.html.environment import environment
from tracrcheck.reports.render.html.page import Page, Section, Tile
from tracrcheck.reports.render.html.tables import Column, Row, data_table, facts


def discovery_page(document: Mapping[str, Any], run: Mapping[str, Any] | None = None) -> Page:
    """document: as docs/json.md says. run: by which command and on what it was made, as far as that is known."""
    asked, matrix = document["asked"], document["faithfulness"]
    circuit = None if document["circuit"] is None else Circuit.from_json(document["circuit"])
    sections = []
    if matrix is not None:
        sections.append(Section(title="Faithfulness", content=_matrix(matrix)))
    if circuit is not None:
        sections.append(Section(title="Circuit", content=_figure(circuit, document)))
        sections.append(Section(title="Edges by reader", content=_readers(circuit), folded=True))
    sections += [
        Section(title="Asked", content=facts([(k, str(v)) for k, v in asked.items()])),
        environment(run),
    ]
    return Page(
        title=f"{asked['task']} in {asked['model']}: {asked['method']}",
        lead=_lead(document),
        tiles=_tiles(document),
        sections=tuple(sections),
    )


def _lead(document: Mapping[str, Any]) -> Html:
    if document["circuit"] is None:
        return joined((badge("FAILS"), f" no circuit came back: {document['fault'] or 'no_result'}."))
    matrix = document["faithfulness"]
    return tag(
        "span",
        matrix["sentence"] if matrix is not None else "The circuit was not judged on prompts held out.",
    )


def _tiles(document: Mapping[str, Any]) -> tuple[Tile, ...]:
    tiles = [
        Tile(label=f"of {document['n_graph_edges']:,} edges", value=_count(document["n_edges"])),
        Tile(label="seconds of the method", value=f"{document['seconds']:,.0f}"),
    ]
    if document["kl_mean"] is not None:
        tiles.append(Tile(label="KL in nats, mean, where found", value=number(document["kl_mean"])))
        tiles.append(Tile(label="KL at worst", value=number(document["kl_worst"])))
    if document["faithfulness"] is not None:
        cells = document["faithfulness"]["cells"]
        good = sum(cell["faithful"] for cell in cells)
        kind = "good" if good == len(cells) else "bad" if not good else "unsure"
        tiles.append(Tile(label=f"of {len(cells)} cells faithful", value=str(good), kind=kind))
    return tuple(tiles)


def _count(n: int | None) -> str:
    return "none" if n is None else f"{n:,}"


def _matrix(matrix: Mapping[str, Any]) -> Html:
    columns = [
        Column(name="ablation", choice=True),
        Column(name="circuit is", choice=True),
        Column(name="metric", choice=True),
        Column(name="circuit", number=True),
        Column(name="interval"),
        Column(name="random", number=True),
        Column(name="their spread"),
        Column(name="model", number=True),
        Column(name="no edges", number=True),
        Column(name="verdict", choice=True),
    ]
    rows: list[Row] = [
        (
            cell["ablation"], DIRECTIONS[cell["direction"]], metric_label(cell["metric"]), number(cell["circuit"]["mean"]),
            _span(cell["circuit"]), number(cell["random"]["mean"]), _span(cell["random"]), number(cell["model"]),
            number(cell["no_edges"]), badge("faithful" if cell["faithful"] else "not faithful"),
        )
        for cell in matrix["cells"]
    ]  # fmt: skip
    share = f"{100 * matrix['confidence']:g} %"
    note = (
        f"{matrix['n_edges']:,} edges on {matrix['n_prompts']:,} prompts held out. Intervals: {share}, bootstrap over prompts. "
        f"Random: {matrix['draws']} circuits of as many edges, and the central {share} of them."
    )
    return joined(
        (
            data_table("Faithfulness by ablation, direction and metric", columns, rows),
            tag("p", note, class_="note"),
        )
    )


def _span(interval: Mapping[str, Any]) -> str:
    return span(interval["low"], interval["high"])


def _figure(circuit: Circuit, document: Mapping[str, Any]) -> Html:
    """The edges with the largest scores where there are many, or else the first ones."""
    scores = document.get("scores") or {}
    edges = sorted(circuit, key=lambda e: -scores.get(str(e), 0.0))
    shown, more = edges[:MOST], max(0, len(edges) - MOST)
    asked = document["asked"]
    layer = Layer(
        name=f"{asked['ablation']} ablation",
        kinds=dict.fromkeys(shown, "found"),
        notes={e: f"scores {scores[str(e)]:.3g}" for e in shown if str(e) in scores},
        fact=f"{len(circuit):,} edges found",
    )
    picture = Picture(
        name=f"{asked['task']} in {asked['model']}",
        graph=circuit.graph,
        labels=_counts(circuit),
        layers=(layer,),
    )
    left_out = f"Drawn are {len(shown):,} of the edges; {more:,} more are listed below." if more else None
    return joined((circuit_figure(picture), tag("p", left_out, class_="note") if left_out else None))


def _counts(circuit: Circuit) -> dict[str, str]:
    """What stands in the box of a component that nobody has named: how many edges it reads and writes."""
    writes = Counter(str(edge.writer) for edge in circuit)
    reads = Counter(node_of(edge.reader) for edge in circuit)
    return {
        node: ", ".join(f"{word} {n}" for word, n in (("reads", reads[node]), ("writes", writes[node])) if n)
        for node in writes | reads
    }


def _readers(circuit: Circuit) -> Html:
    into: dict[str, list[Edge]] = {}
    for edge in circuit:
        into.setdefault(str(edge.reader), []).append(edge)
    rows: list[tuple[Child, Child, Child]] = [
        (reader, len(edges), code(", ".join(str(e.writer) for e in edges))) for reader, edges in into.items()
    ]
    columns = [Column(name="reader"), Column(name="edges", number=True), Column(name="reads")]
    return data_table("What each reader reads", columns, rows)
