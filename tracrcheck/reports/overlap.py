"""Two circuits compared: text, tables, a drawing, and JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edgeprune_core.metrics import METRICS
from tracrcheck.reports import document as doc
from tracrcheck.reports.document import Block, Column, Table, number
from tracrcheck.reports.faithfulness import matrix_block, matrix_document
from tracrcheck.reports.faithfulness import number as rounded
from tracrcheck.reports.picture import overlap_picture
from tracrcheck.reports.render.graph import svg
from tracrcheck.reports.saved import OVERLAP, OverlapFile
from tracrcheck.trained.overlap import Judged, Overlap


def first_blocks(d: Mapping[str, Any]) -> list[Block | str]:
    """How many edges are shared, and where. d: as docs/json.md says."""
    return [*_lines(d), "", _layers(d)]


def crossed_blocks(d: Mapping[str, Any]) -> list[Block | str]:
    """Each circuit on each task."""
    return [f"under resampling, all other edges cut, in {d['asked']['model']}:", _crossed(d)]


def _lines(d: Mapping[str, Any]) -> list[str]:
    asked, jaccard = d["asked"], d["jaccard"]
    share = "" if jaccard is None else f", {jaccard:.0%} of those that either has (Jaccard)"
    return [
        f"A: {asked['a']}, {d['n_a']:,} edges; B: {asked['b']}, {d['n_b']:,} edges; of {d['n_graph_edges']:,}",
        f"shared {len(d['shared']):,}{share}; two random circuits of these sizes share {d['expected_shared']:,.1f}",
        f"only A {len(d['only_a']):,}; only B {len(d['only_b']):,}",
    ]


def _layers(d: Mapping[str, Any]) -> Table:
    return Table.of(
        d["layers"],
        Column("edges into", lambda row: row["into"] if row["into"] == "out" else f"layer {row['into']}"),
        number("shared", lambda row: f"{row['shared']:,}"),
        number("only A", lambda row: f"{row['only_a']:,}"),
        number("only B", lambda row: f"{row['only_b']:,}"),
        caption="Edges by the layer that reads them",
    )


def _crossed(d: Mapping[str, Any]) -> Table:
    """A row for each circuit and task: under resampling with all other edges cut, and the number of cells that are faithful."""

    def mean(metric: str, of: str = "circuit") -> Callable[[Mapping[str, Any]], str]:
        return lambda row: rounded(_cell(row, metric)[of]["mean"])

    names = {"a": "A", "b": "B", "shared": "shared"}
    return Table.of(
        d["judged"],
        Column("circuit", lambda row: names[row["circuit"]]),
        Column("on", lambda row: row["task"]),
        number("edges", lambda row: f"{row['faithfulness']['n_edges']:,}"),
        number(METRICS["kl"].label, mean("kl")),
        number("random", mean("kl", "random")),
        number(METRICS["recovered"].label, mean("recovered")),
        number(METRICS["accuracy"].label, mean("accuracy")),
        number("model", lambda row: rounded(_cell(row, "accuracy")["model"])),
        Column("faithful in", lambda row: "{} of {} cells".format(*_faithful(row))),
        caption="Each circuit on each task",
        note="Under resampling, all other edges cut.",
    )


def _cell(row: Mapping[str, Any], metric: str) -> Mapping[str, Any]:
    cells = row["faithfulness"]["cells"]
    wanted = ("resample", "kept", metric)
    return next(c for c in cells if (c["ablation"], c["direction"], c["metric"]) == wanted)


def _faithful(row: Mapping[str, Any]) -> tuple[int, int]:
    cells = row["faithfulness"]["cells"]
    return sum(cell["faithful"] for cell in cells), len(cells)


def document(saved: OverlapFile) -> doc.Document:
    d = saved.document
    asked, judged = d["asked"], d["judged"]
    sections = [doc.Section("Each circuit on each task", [_crossed(d)])] if judged else []
    sections += [doc.Section("Where the edges are", [_layers(d)])]
    for row in judged:
        title = f"{row['circuit'].upper() if len(row['circuit']) == 1 else 'Shared edges'} on {row['task']}, every cell"
        sections.append(doc.Section(title, [matrix_block(row["faithfulness"])], folded=True, on=("html",)))
    facts = doc.Facts(tuple((name, str(value)) for name, value in asked.items()))
    on = f"{asked['task_a']} and {asked['task_b']} in {asked['model']}" if judged else "two circuits"
    return doc.Document(
        command="overlap",
        title=f"{on}: two circuits compared",
        word="compared",
        good=True,
        outcome=f"{len(d['shared']):,} edges shared",
        scope=_lines(d)[0],
        summary=tuple(_lines(d)[1:]),
        tiles=_tiles(d),
        sections=[*sections, doc.Section("Asked", [facts], on=("html",))],
        run=saved.run,
    )


def _tiles(d: Mapping[str, Any]) -> list[doc.Tile]:
    tiles = [doc.Tile("edges shared", f"{len(d['shared']):,}"), doc.Tile("only A", f"{len(d['only_a']):,}")]
    tiles.append(doc.Tile("only B", f"{len(d['only_b']):,}"))
    if d["jaccard"] is not None:
        tiles.append(doc.Tile("shared, of the edges of either", f"{d['jaccard']:.0%}"))
    return [*tiles, doc.Tile("shared by two random circuits", f"{d['expected_shared']:,.1f}")]


# The picture ----------------------------------------------------------------------------------------------


def overlap_svg(found: Overlap, *, title: str) -> str:
    """Both circuits in one drawing."""
    picture = overlap_picture({"shared": found.shared, "only A": found.only_a, "only B": found.only_b})
    return svg(picture, title=title, legend=True)


# JSON -------------------------------------------------------------------------------------------------------


def overlap_document(
    asked: dict[str, Any], found: Overlap, judged: Sequence[Judged], run: Mapping[str, Any]
) -> dict[str, Any]:
    """run: how they were made (`runs.base.made_now`)."""
    return {
        "schema": OVERLAP,
        "run": dict(run),
        "asked": asked,
        "n_graph_edges": found.a.graph.n_edges,
        "n_a": len(found.a),
        "n_b": len(found.b),
        "jaccard": found.jaccard,
        "expected_shared": found.expected,
        "shared": found.shared.texts,
        "only_a": found.only_a.texts,
        "only_b": found.only_b.texts,
        "layers": [
            {"into": "out" if row.layer is None else row.layer, "shared": row.shared, "only_a": row.only_a, "only_b": row.only_b}
            for row in found.layers()
        ],
        "judged": [
            {"circuit": row.which, "task": row.task, "faithfulness": matrix_document(row.matrix)} for row in judged
        ],
    }  # fmt: skip
