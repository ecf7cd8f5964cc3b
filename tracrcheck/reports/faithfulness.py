"""The faithfulness matrix as a table, a sentence and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edgeprune_core.faithfulness import Cell, Matrix
from edgeprune_core.metrics import METRICS, Metric
from tracrcheck.reports.document import Table, choice
from tracrcheck.reports.document import number as numeric

SCHEMA = "tracrcheck.faithfulness/1"
DIRECTIONS = {"kept": "kept", "knocked_out": "knocked out"}


def matrix_block(matrix: Mapping[str, Any], metrics: Sequence[Metric] = ()) -> Table:
    """A row for each cell. matrix: as docs/json.md says. metrics: those that are not in the table, for their labels."""
    labels = {metric.name: metric.label for metric in (*METRICS.values(), *metrics)}
    share = f"{100 * matrix['confidence']:g} %"
    return Table.of(
        matrix["cells"],
        choice("ablation"),
        choice("circuit is", lambda c: DIRECTIONS.get(c["direction"], c["direction"])),
        choice("metric", lambda c: labels.get(c["metric"], c["metric"])),
        numeric("circuit", lambda c: number(c["circuit"]["mean"])),
        numeric("interval", lambda c: _span(c["circuit"])),
        numeric("random", lambda c: number(c["random"]["mean"])),
        numeric("their spread", lambda c: _span(c["random"])),
        numeric("model", lambda c: number(c["model"])),
        numeric("no edges", lambda c: number(c["no_edges"])),
        choice("faithful", lambda c: "yes" if c["faithful"] else "no"),
        caption="Faithfulness by ablation, direction and metric",
        note=f"{matrix['n_edges']:,} edges on {matrix['n_prompts']:,} prompts; intervals: {share}, bootstrap over prompts; "
        f"random: {matrix['draws']} circuits of as many edges, and the central {share} of them.",
    )


def matrix_document(matrix: Matrix) -> dict[str, Any]:
    return {
        "n_edges": matrix.n_edges,
        "n_prompts": matrix.n_items,
        "draws": matrix.draws,
        "confidence": matrix.confidence,
        "sentence": matrix.sentence(),
        "cells": [_cell(cell) for cell in matrix.cells],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "ablation": cell.ablation,
        "direction": cell.direction,
        "metric": cell.metric,
        "circuit": asdict(cell.circuit),
        "random": asdict(cell.null),
        "model": cell.model,
        "no_edges": cell.empty,
        "faithful": cell.supports,
    }


def _span(interval: Mapping[str, Any]) -> str:
    return f"{number(interval['low'])} to {number(interval['high'])}"


def number(x: float | None) -> str:
    """None means NaN, which JSON does not have."""
    return "undefined" if x is None or math.isnan(x) else f"{round(x, 3) + 0.0:.3f}"
