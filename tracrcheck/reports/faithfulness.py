"""The faithfulness matrix as a table, a sentence and JSON."""

from __future__ import annotations

import math
from typing import Any

from rich.table import Table

from edgeprune_core.faithfulness import Cell, Interval, Matrix
from edgeprune_core.metrics import METRICS
from tracrcheck.reports.text import table

SCHEMA = "tracrcheck.faithfulness/1"
DIRECTIONS = {"kept": "kept", "knocked_out": "knocked out"}


def metric_label(name: str) -> str:
    """As in tables. A file may name a metric that this process does not know."""
    return METRICS[name].label if name in METRICS else name


def matrix_table(matrix: Matrix) -> Table:
    """A row a cell. `faithful`: whether it speaks for the circuit."""
    numbers = ("circuit", "interval", "random", "their spread", "model", "no edges")
    made = table("ablation", "circuit is", "metric", *numbers, "faithful", numbers=numbers)
    for cell in matrix.cells:
        made.add_row(
            cell.ablation,
            DIRECTIONS[cell.direction],
            cell.label or cell.metric,
            number(cell.circuit.mean),
            _range(cell.circuit),
            number(cell.null.mean),
            _range(cell.null),
            number(cell.model),
            number(cell.empty),
            "yes" if cell.supports else "no",
        )
    return made


def matrix_lines(matrix: Matrix) -> list[str]:
    """What the columns are, and what may be claimed."""
    share = f"{100 * matrix.confidence:g} %"
    return [
        f"{matrix.n_edges:,} edges on {matrix.n_items:,} prompts; intervals: {share}, bootstrap over prompts; random: "
        f"{matrix.draws} circuits of as many edges, and the central {share} of them",
        matrix.sentence(),
    ]


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
        "circuit": _interval(cell.circuit),
        "random": _interval(cell.null),
        "model": cell.model,
        "no_edges": cell.empty,
        "faithful": cell.supports,
    }


def _interval(x: Interval) -> dict[str, float]:
    return {"mean": x.mean, "low": x.low, "high": x.high}


def _range(x: Interval) -> str:
    return span(x.low, x.high)


def span(low: float | None, high: float | None) -> str:
    return f"{number(low)} to {number(high)}"


def number(x: float | None) -> str:
    """None stands for NaN in JSON."""
    return "undefined" if x is None or math.isnan(x) else f"{round(x, 3) + 0.0:.3f}"
