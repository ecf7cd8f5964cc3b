"""A comparison of methods as a table, as lines of text, as a page of Markdown and as a plot."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from xml.sax.saxutils import escape

from rich.table import Table

from tracrcheck.reports.render.markdown import provenance
from tracrcheck.runs.compare import CompareResults
from tracrcheck.trained.curve import LEVELS, Curve, Standing, standings

NONE = "-"
# Told apart by those who see no red or no green as well (Okabe & Ito 2008), and by their dashes.
STROKES = (
    ("#0072b2", ""), ("#d55e00", "7 3"), ("#009e73", "2 3"), ("#cc79a7", "9 3 2 3"), ("#555555", "4 4"),
    ("#e69f00", "1 4"), ("#56b4e9", "12 4"),
)  # fmt: skip
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 460, 70, 190, 40, 55


def line(made: Curve) -> str:
    shown = f"failed: {made.fault}" if made.fault else f"{len(made.points)} circuits of {made.candidates}"
    return f"{made.method}, seed {made.seed}: {shown}, {made.seconds:.1f} s, {made.peak_mib:.0f} MiB"


def heads() -> list[str]:
    return ["method", *(f"{level:g}" for level in LEVELS), "sweep", "seconds", "MiB"]


def rows_of(results: CompareResults) -> list[list[str]]:
    """A row a method: the median over seeds at each level, its range in brackets where they differ."""
    by = {(s.method, s.level): s for s in standings(results.curves)}
    rows = []
    for method in dict.fromkeys(c.method for c in results.curves):
        of = [c for c in results.curves if c.method == method]
        rows.append([
            method,
            *(_cell(by[method, level]) for level in LEVELS),
            str(max(c.candidates for c in of)),
            f"{statistics.median(c.seconds for c in of):.1f}",
            f"{max(c.peak_mib for c in of):.0f}",
        ])  # fmt: skip
    return rows


def table(results: CompareResults) -> Table:
    shown = Table(
        *heads(), title="fewest edges at so many nats on held-out prompts: median over seeds (range)"
    )
    for row in rows_of(results):
        shown.add_row(*row)
    return shown


def lines(results: CompareResults) -> list[str]:
    """Curves that failed, then how near each method comes to the fewest edges of any."""
    failed = [f"FAILED {c.method}, seed {c.seed}: {c.fault}" for c in results.curves if c.fault]
    medians: dict[str, dict[float, float]] = {}
    for s in standings(results.curves):
        medians.setdefault(s.method, {})[s.level] = s.median
    if len(medians) < 2:
        return failed
    fewest = {x: min(of[x] for of in medians.values()) for x in LEVELS}
    empty = [x for x in LEVELS if fewest[x] == 0]
    counted = [x for x in LEVELS if 0 < fewest[x] < math.inf]
    note = [f"at {_list(empty)} some method needs no edge at all: not counted below"] if empty else []
    return [*failed, *note, *(_beside_fewest(method, of, fewest, counted) for method, of in medians.items())]


def _beside_fewest(
    method: str, medians: dict[float, float], fewest: dict[float, float], levels: Sequence[float]
) -> str:
    reached = {x: medians[x] / fewest[x] for x in levels if medians[x] < math.inf}
    if not reached:
        return f"{method} reaches none of these levels"
    best = [x for x, ratio in reached.items() if ratio == 1]
    ratios = ", ".join(f"{ratio:.2f} at {x:g}" for x, ratio in reached.items())
    return f"{method} has the fewest edges at {_list(best)}; its edges over the fewest: {ratios}"


def compare_page(results: CompareResults) -> str:
    """How it was made, the table, and what it comes to."""
    asked = results.run["asked"]
    of = (
        f"{asked['task']} in {asked['model']} ({asked['n_graph_edges']:,} edges), {asked['ablation']} ablation, "
        f"{asked['prompts']} prompts to choose on and as many to judge on, {len(asked['seeds'])} seeds"
    )
    shown = ["# Methods compared", "", *provenance(results.run, of), ""]
    shown += [f"* {told}" for told in lines(results)]
    shown += [
        "",
        "Fewest edges at so many nats on held-out prompts: median over seeds (range); `-`: not reached.",
        "",
    ]
    shown += [f"| {' | '.join(heads())} |", "|---" * len(heads()) + "|"]
    shown += [f"| {' | '.join(row)} |" for row in rows_of(results)]
    return "\n".join([*shown, ""])


def svg(results: CompareResults, *, ground: bool = True) -> str:
    """Edges against held-out divergence, both in logarithms: a curve a method, of the seed in the middle at 0.1 nats.

    ground: on white; else on whatever it is laid upon.
    """
    asked = results.run["asked"]
    shown = [_median_curve(results.curves, m) for m in dict.fromkeys(c.method for c in results.curves)]
    points = [p for c in shown for p in c.points if p.n_edges and p.held_out_kl > 0]
    few, many = min((p.n_edges for p in points), default=1), max((p.n_edges for p in points), default=10)
    low, high = 1e-4, max((p.held_out_kl for p in points), default=1.0)

    def x(n: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(n / few) / max(math.log(many / few), 1e-9)

    def y(kl: float) -> float:
        part = math.log(max(kl, low) / low) / max(math.log(high / low), 1e-9)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part

    title = f"{asked['task']} in {asked['model']}, {asked['ablation']} ablation"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'class="plot" font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        *([f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'] if ground else []),
        f'<text x="{LEFT}" y="24" font-size="14">{escape(title)}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">edges of {asked["n_graph_edges"]:,}</text>',
        f'<text transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">'
        "KL on held-out prompts, nats</text>",
    ]
    for tick in (t for t in (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0) if low <= t <= high):
        parts += [
            _rule(LEFT, y(tick), WIDTH - RIGHT, y(tick)),
            _text(LEFT - 6, y(tick) + 4, f"{tick:g}", "end"),
        ]
    for tick in (t for t in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000) if few <= t <= many):
        parts += [
            _rule(x(tick), TOP, x(tick), HEIGHT - BOTTOM),
            _text(x(tick), HEIGHT - BOTTOM + 16, f"{tick}", "middle"),
        ]
    for number, c in enumerate(shown):
        colour, dash = STROKES[number % len(STROKES)]
        path = " ".join(
            f"{'L' if place else 'M'}{x(p.n_edges):.1f},{y(p.held_out_kl):.1f}"
            for place, p in enumerate(q for q in c.points if q.n_edges)
        )
        style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        if path:
            parts.append(f'<path d="{path}" {style}><title>{escape(c.method)}</title></path>')
        height = TOP + 20 * number + 10
        parts += [
            f'<path d="M{WIDTH - RIGHT + 14},{height} h34" {style}/>',
            _text(WIDTH - RIGHT + 54, height + 4, c.method, "start"),
        ]
    return "\n".join([*parts, "</svg>", ""])


def _median_curve(curves: Sequence[Curve], method: str) -> Curve:
    of = [c for c in curves if c.method == method]
    return sorted(of, key=lambda c: (c.fewest(0.1) or math.inf, c.seed))[len(of) // 2]


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f},{y1:.1f} L{x2:.1f},{y2:.1f}" class="grid" stroke="#88888866"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _cell(standing: Standing) -> str:
    found = [n for n in standing.by_seed if n is not None]
    if math.isinf(standing.median):
        return NONE if not found else f"{NONE} ({len(found)} of {len(standing.by_seed)} seeds)"
    low, high = min(found), max(found) if len(found) == len(standing.by_seed) else None
    return f"{standing.median:g}" + ("" if low == high else f" ({low}-{high or NONE})")


def _list(levels: Sequence[float]) -> str:
    return f"{', '.join(f'{x:g}' for x in levels)} nats" if levels else "no level"
