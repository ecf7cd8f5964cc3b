"""A comparison of methods: the fewest edges of each at the same divergence, and the curves."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from tracrcheck.reports.document import (
    EVERYWHERE,
    Case,
    Code,
    Document,
    Finding,
    Findings,
    Lines,
    Plot,
    Section,
    Table,
    Tile,
    columns,
)  # fmt: skip
from tracrcheck.reports.findings import block
from tracrcheck.runs.compare import CompareResults
from tracrcheck.trained.curve import LEVELS, Curve, Standing, standings

NONE = "-"


def line(made: Curve) -> str:
    shown = f"failed: {made.fault}" if made.fault else f"{len(made.points)} circuits of {made.candidates}"
    return f"{made.method}, seed {made.seed}: {shown}, {made.seconds:.1f} s, {made.peak_mib:.0f} MiB"


def document(results: CompareResults) -> Document:
    asked, curves = results.run["asked"], results.curves
    failed = [_finding(c) for c in curves if c.fault]
    n = len(curves)
    suites: dict[str, list[Case]] = {}
    for c in curves:
        suites.setdefault(c.method, []).append(_case(c))
    findings = Findings(head=("method", "seed", "why"), of=failed)
    edges = asked.get("n_graph_edges", 0)
    standing = (Lines(lines=tuple(_standing(results))),) if _standing(results) else ()
    return Document(
        command="compare",
        title=f"Methods compared on {asked['task']}",
        word="FAILED" if failed else "made",
        good=not failed,
        outcome=f"{len(failed):,} of {n:,} curves failed" if failed else f"{n:,} of {n:,} curves were made",
        scope=f"{asked['task']} in {asked['model']} ({edges:,} edges), {asked['ablation']} ablation, {asked['prompts']} prompts to "
        f"choose on and as many to judge on, {len(asked['seeds'])} seeds.",
        tiles=(
            Tile(label="methods", value=f"{len(asked['methods']):,}"),
            Tile(label="seeds", value=f"{len(asked['seeds']):,}"),
            Tile(label="edges of the model", value=f"{edges:,}"),
        ),
        sections=(
            Section(title="Failed", blocks=(findings,) if failed else (), on=EVERYWHERE),
            Section(title="At equal divergence", blocks=(_table(results), *standing), on=EVERYWHERE),
            Section(title="Curves", blocks=(plot(results),), on=("html",)),
        ),
        run=results.run,
        suites=suites,
    )


def _table(results: CompareResults) -> Table:
    """A row for each method: the median over seeds at each level, its range in brackets where they differ."""
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
    numbers = (*(f"{level:g}" for level in LEVELS), "sweep", "seconds", "MiB")
    return Table(
        caption="Fewest edges at so many nats on held-out prompts: median over seeds (range)",
        columns=columns("method", *numbers, numbers=numbers),
        rows=rows,
        note=f"{NONE}: not reached.",
    )


def _finding(c: Curve) -> Finding:
    why = c.fault or ""
    title = f"{c.method}, seed {c.seed}"
    return Finding(word="FAILED", title=title, reason=why, why=why, cells=(Code(c.method), c.seed, why))


def _case(c: Curve) -> Case:
    if not c.fault:
        return Case(name=f"seed {c.seed}", seconds=c.seconds)
    text = block(_finding(c))
    return Case(name=f"seed {c.seed}", seconds=c.seconds, outcome="error", kind="fault", text=text)


def _standing(results: CompareResults) -> list[str]:
    """How near each method comes to the fewest edges of any."""
    medians: dict[str, dict[float, float]] = {}
    for s in standings(results.curves):
        medians.setdefault(s.method, {})[s.level] = s.median
    if len(medians) < 2:
        return []
    fewest = {x: min(of[x] for of in medians.values()) for x in LEVELS}
    empty = [x for x in LEVELS if fewest[x] == 0]
    counted = [x for x in LEVELS if 0 < fewest[x] < math.inf]
    note = [f"at {_list(empty)} some method needs no edge at all: not counted below"] if empty else []
    return [*note, *(_beside_fewest(method, of, fewest, counted) for method, of in medians.items())]


def _beside_fewest(
    method: str, medians: dict[float, float], fewest: dict[float, float], levels: Sequence[float]
) -> str:
    reached = {x: medians[x] / fewest[x] for x in levels if medians[x] < math.inf}
    if not reached:
        return f"{method} reaches none of these levels"
    best = [x for x, ratio in reached.items() if ratio == 1]
    ratios = ", ".join(f"{ratio:.2f} at {x:g}" for x, ratio in reached.items())
    return f"{method} has the fewest edges at {_list(best)}; its edges over the fewest: {ratios}"


def plot(results: CompareResults) -> Plot:
    """Edges against held-out divergence: for each method the curve of the seed in the middle at 0.1 nats."""
    asked = results.run["asked"]
    shown = [_median_curve(results.curves, m) for m in dict.fromkeys(c.method for c in results.curves)]
    return Plot(
        title=f"{asked['task']} in {asked['model']}, {asked['ablation']} ablation",
        x=f"edges of {asked.get('n_graph_edges', 0):,}",
        y="KL on held-out prompts, nats",
        curves={c.method: [(p.n_edges, p.held_out_kl) for p in c.points if p.n_edges] for c in shown},
    )


def _median_curve(curves: Sequence[Curve], method: str) -> Curve:
    of = [c for c in curves if c.method == method]
    return sorted(of, key=lambda c: (c.fewest(0.1) or math.inf, c.seed))[len(of) // 2]


def _cell(standing: Standing) -> str:
    found = [n for n in standing.by_seed if n is not None]
    if math.isinf(standing.median):
        return NONE if not found else f"{NONE} ({len(found)} of {len(standing.by_seed)} seeds)"
    low, high = min(found), max(found) if len(found) == len(standing.by_seed) else None
    return f"{standing.median:g}" + ("" if low == high else f" ({low}-{high or NONE})")


def _list(levels: Sequence[float]) -> str:
    return f"{', '.join(f'{x:g}' for x in levels)} nats" if levels else "no level"
