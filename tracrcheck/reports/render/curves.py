"""Draws curves as SVG, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterable

from markupsafe import Markup

from tracrcheck.reports.document import Plot
from tracrcheck.reports.render.html.markup import fill, joined

# Colours that can be told apart without red or green as well (Okabe and Ito 2008), and dashes, for print.
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
    parts = [
        fill("<title>{}</title>", plot.title),
        fill('<rect width="{}" height="{}" fill="white"/>', WIDTH, HEIGHT) if ground else "",
        fill('<text x="{}" y="24" font-size="14">{}</text>', LEFT, plot.title),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, plot.x, "middle"),
        fill('<text transform="translate(16 {}) rotate(-90)" text-anchor="middle">{}</text>', (TOP + HEIGHT - BOTTOM) / 2, plot.y),
    ]  # fmt: skip
    for tick in up.ticks(digits=(1,)):
        at = up(tick)
        parts += [_rule(LEFT, at, WIDTH - RIGHT, at), _text(LEFT - 6, at + 4, f"{tick:g}", "end")]
    for tick in across.ticks(digits=(1, 2, 5)):
        at = across(tick)
        parts += [
            _rule(at, TOP, at, HEIGHT - BOTTOM),
            _text(at, HEIGHT - BOTTOM + 16, f"{tick:.0f}", "middle"),
        ]
    for number, (name, curve) in enumerate(plot.curves.items()):
        colour, dash = STROKES[number % len(STROKES)]
        style = fill('fill="none" stroke="{}" stroke-width="2" stroke-dasharray="{}"', colour, dash)
        points = [f"{across(x):.1f},{up(y):.1f}" for x, y in curve]
        if points:
            parts.append(fill('<path d="M{}" {}><title>{}</title></path>', " L".join(points), style, name))
        height = TOP + 20 * number + 10
        parts.append(fill('<path d="M{},{} h34" {}/>', WIDTH - RIGHT + 14, height, style))
        parts.append(_text(WIDTH - RIGHT + 54, height + 4, name, "start"))
    head = fill(
        '<svg xmlns="http://www.w3.org/2000/svg" width="{}" height="{}" viewBox="0 0 {} {}" class="plot" '
        'font-family="sans-serif" font-size="12">', WIDTH, HEIGHT, WIDTH, HEIGHT,
    )  # fmt: skip
    return joined([head, *parts, Markup("</svg>"), ""], "\n")


class _Axis:
    """Maps values to pixels, logarithmically."""

    def __init__(self, values: list[float], start: float, end: float) -> None:
        self.low, self.high = min(values, default=1.0), max(values, default=10.0)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        part = math.log(max(value, self.low) / self.low) / max(math.log(self.high / self.low), 1e-9)
        return self.start + (self.end - self.start) * part

    def ticks(self, *, digits: Iterable[int]) -> list[float]:
        every = [digit * 10.0**power for power in range(-4, 6) for digit in digits]
        return [tick for tick in every if self.low <= tick <= self.high]


def _rule(x1: float, y1: float, x2: float, y2: float) -> Markup:
    return fill('<path d="M{} L{}" class="grid" stroke="#88888866"/>', f"{x1:.1f},{y1:.1f}", f"{x2:.1f},{y2:.1f}")  # fmt: skip


def _text(x: float, y: float, words: str, anchor: str) -> Markup:
    return fill('<text x="{}" y="{}" text-anchor="{}">{}</text>', f"{x:.1f}", f"{y:.1f}", anchor, words)
