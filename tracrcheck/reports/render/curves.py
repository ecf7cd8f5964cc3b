"""Draws curves as SVG, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import cycle

from markupsafe import Markup

from tracrcheck.reports.document import Plot
from tracrcheck.reports.render.templates import templates

# Colours that colour-blind readers can distinguish (Okabe and Ito 2008), and dashes for print.
STROKES = (
    ("#0072b2", ""), ("#d55e00", "7 3"), ("#009e73", "2 3"), ("#cc79a7", "9 3 2 3"), ("#555555", "4 4"),
    ("#e69f00", "1 4"), ("#56b4e9", "12 4"),
)  # fmt: skip
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 460, 70, 190, 40, 55
LOWEST = 1e-4  # y below which values are drawn alike


def svg(plot: Plot, *, ground: bool = True) -> Markup:
    """A line for each curve, with a legend. ground: fill the background with white."""
    across = _Axis([x for curve in plot.curves.values() for x, _ in curve], LEFT, WIDTH - RIGHT)
    values = [y for curve in plot.curves.values() for _, y in curve]
    up = _Axis([LOWEST, max(values, default=1.0)], HEIGHT - BOTTOM, TOP)
    curves = [
        (name, *stroke, " L".join(f"{across(x):.1f},{up(y):.1f}" for x, y in curve))
        for (name, curve), stroke in zip(plot.curves.items(), cycle(STROKES), strict=False)
    ]
    sizes = {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "bottom": HEIGHT - BOTTOM,
    }
    ticks = {"across": across.ticks(digits=(1, 2, 5)), "up": up.ticks(digits=(1,))}
    template = templates().get_template("plot.svg")
    return Markup(template.render(plot=plot, curves=curves, ground=ground, **sizes, **ticks))


class _Axis:
    """Maps values to pixels, logarithmically."""

    def __init__(self, values: list[float], start: float, end: float) -> None:
        self.low, self.high = min(values, default=1.0), max(values, default=10.0)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        part = math.log(max(value, self.low) / self.low) / max(math.log(self.high / self.low), 1e-9)
        return self.start + (self.end - self.start) * part

    def ticks(self, *, digits: Iterable[int]) -> list[tuple[str, float]]:
        """Label and pixel of each."""
        every = [digit * 10.0**power for power in range(-4, 6) for digit in digits]
        return [(f"{tick:g}", self(tick)) for tick in every if self.low <= tick <= self.high]
