"""Draws edges counted by layers as SVG: a cell for each pair of a writing and a reading layer, darker where there are more."""

from __future__ import annotations

import math

from markupsafe import Markup

from tracrcheck.reports.document import Grid
from tracrcheck.reports.render.templates import templates

# Pixels: of a cell, and of the margins.
CELL, LEFT, TOP, EDGE = 18, 74, 74, 12
# Of the lightest cell with an edge; the darkest is opaque.
LIGHTEST = 0.12


def svg(grid: Grid, *, ground: bool = True) -> Markup:
    """ground: fill the background with white."""
    most = max(grid.counts.values(), default=1)
    cells = [
        (
            LEFT + CELL * grid.writers.index(writer),
            TOP + CELL * grid.readers.index(reader),
            round(_shade(n, most), 2),
            f"{writer} into {reader}: {n:,} edge{'s' if n > 1 else ''}",
        )
        for (writer, reader), n in grid.counts.items()
    ]
    sizes = {
        "width": LEFT + CELL * len(grid.writers) + EDGE,
        "height": TOP + CELL * len(grid.readers) + EDGE,
        "left": LEFT,
        "top": TOP,
        "cell": CELL,
    }
    return Markup(templates().get_template("grid.svg").render(grid=grid, cells=cells, ground=ground, **sizes))


def _shade(n: int, most: int) -> float:
    return LIGHTEST + (1 - LIGHTEST) * math.log(n) / max(math.log(most), 1e-9) if most > 1 else 1.0
