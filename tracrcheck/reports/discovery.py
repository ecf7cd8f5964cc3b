"""The circuit that a method found in a trained model: how large, how faithful, the drawing, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.faithfulness import Matrix
from tracrcheck.reports.document import (
    Block,
    Case,
    Code,
    Document,
    Drawing,
    Facts,
    Lines,
    Section,
    Table,
    Tile,
    columns,
)  # fmt: skip
from tracrcheck.reports.faithfulness import matrix_block, matrix_document, number
from tracrcheck.reports.picture import MOST, Layer, Picture, by_reader, counts_of
from tracrcheck.reports.saved import DISCOVERY, DiscoveryFile
from tracrcheck.trained.discover import Found


def found_lines(found: Found) -> list[str]:
    """How many edges, how near to the model, and a line for each reader with what it reads."""
    answer, circuit = found.answer, found.circuit
    if circuit is None:
        return [f"FAILS: {answer.fault or 'no_result'}: {answer.detail}"]
    dropped = f", {found.dangling} dangling ones dropped" if found.dangling else ""
    return [
        f"{len(circuit):,} of {found.n_edges:,} edges{dropped}, found in {answer.seconds:.0f} s; on the {found.n_prompts:,} "
        f"prompts it was found on, KL {found.kl_mean:.3f} nats in the mean, {found.kl_worst:.3f} at worst",
        *(f"    {reader:<9} <- {', '.join(writers)}" for reader, writers in by_reader(circuit).items()),
    ]


def document(saved: DiscoveryFile) -> Document:
    d = saved.document
    asked, matrix, none = d["asked"], d["faithfulness"], d["circuit"] is None
    fault = d["fault"] or "no_result"
    outcome = f"no circuit, {fault}" if none else f"{d['n_edges']:,} of {d['n_graph_edges']:,} edges"
    unjudged = "" if none else "The circuit was not judged on held-out prompts."
    case = Case(name=f"{asked['method']}, {asked['ablation']}", seconds=d["seconds"])
    if none:
        case = Case(
            name=case.name,
            seconds=case.seconds,
            outcome="failure",
            kind=fault,
            text=f"{fault}: no circuit came back",
        )
    return Document(
        command="discover",
        title=f"{asked['task']} in {asked['model']}: {asked['method']}",
        word="FAILS" if none else "found",
        good=not none,
        outcome=outcome,
        scope=f"{asked['method']} on {asked['task']} in {asked['model']}, {asked['ablation']} ablation.",
        summary=(unjudged if matrix is None else matrix["sentence"],),
        tiles=_tiles(d),
        sections=tuple(_sections(d)),
        run=saved.run,
        suites={f"{asked['task']} in {asked['model']}": [case]},
    )


def _sections(d: Mapping[str, Any]) -> list[Section]:
    matrix, sections = d["faithfulness"], []
    if matrix is not None:
        blocks: tuple[Block, ...] = (Lines(lines=(matrix["sentence"],), kind="note"), matrix_block(matrix))
        sections.append(Section(title="Faithfulness", blocks=blocks, on=("html",)))
        every = Section(title="Every cell", blocks=blocks[1:], folded=True, on=("markdown", "comment"))
        sections.append(every)
    if d["circuit"]:
        circuit = Circuit.from_json(d["circuit"])
        sections.append(Section(title="Circuit", blocks=_drawing(circuit, d), on=("html",)))
        rows = [(reader, len(ws), Code(", ".join(ws))) for reader, ws in by_reader(circuit).items()]
        named = columns("reader", "edges", "reads", numbers=("edges",))
        table = Table(caption="What each reader reads", columns=named, rows=rows)
        sections.append(Section(title="Edges by reader", blocks=(table,), folded=True, on=("html",)))
    asked = Facts(rows=tuple((name, str(value)) for name, value in d["asked"].items()))
    return [*sections, Section(title="Asked", blocks=(asked,), on=("html",))]


def _tiles(d: Mapping[str, Any]) -> tuple[Tile, ...]:
    n = d["n_edges"]
    tiles = [
        Tile(label=f"of {d['n_graph_edges']:,} edges", value="none" if n is None else f"{n:,}"),
        Tile(label="seconds of the method", value=f"{d['seconds']:,.0f}"),
    ]
    if d.get("kl_mean") is not None:
        tiles.append(Tile(label="KL in nats, mean, where found", value=number(d["kl_mean"])))
        tiles.append(Tile(label="KL at worst", value=number(d["kl_worst"])))
    if d["faithfulness"] is not None:
        cells = d["faithfulness"]["cells"]
        good = sum(cell["faithful"] for cell in cells)
        kind = "good" if good == len(cells) else "bad" if not good else "unsure"
        tiles.append(Tile(label=f"of {len(cells)} cells faithful", value=str(good), kind=kind))
    return tuple(tiles)


def _drawing(circuit: Circuit, d: Mapping[str, Any]) -> tuple[Block, ...]:
    """The edges with the largest scores where there are many, or else the first ones."""
    scores, asked = d.get("scores") or {}, d["asked"]
    edges = sorted(circuit, key=lambda e: -scores.get(str(e), 0.0))
    shown, more = edges[:MOST], max(0, len(edges) - MOST)
    layer = Layer(
        name=f"{asked['ablation']} ablation",
        kinds=dict.fromkeys(shown, "found"),
        notes={e: f"scores {scores[str(e)]:.3g}" for e in shown if str(e) in scores},
        fact=f"{len(circuit):,} edges found",
    )
    picture = Picture(
        name=f"{asked['task']} in {asked['model']}",
        graph=circuit.graph,
        labels=counts_of(circuit),
        layers=(layer,),
    )
    left_out = f"{len(shown):,} of the edges are drawn; {more:,} more are listed below."
    notes = (Lines(lines=(left_out,), kind="note"),) if more else ()
    return (Drawing(picture=picture, most=MOST), *notes)


def discovery_document(asked: dict[str, Any], found: Found, matrix: Matrix | None) -> dict[str, Any]:
    """As docs/json.md says."""
    circuit = found.circuit
    return {
        "schema": DISCOVERY,
        "asked": asked,
        "fault": found.answer.fault,
        "seconds": found.answer.seconds,
        "n_edges": None if circuit is None else len(circuit),
        "n_graph_edges": found.n_edges,
        "n_dangling": found.dangling,
        "kl_mean": found.kl_mean,
        "kl_worst": found.kl_worst,
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
