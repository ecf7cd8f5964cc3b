"""A comparison of methods: the fewest edges of each at the same divergence, and the curves."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from functools import partial

from edgeprune_core.metrics import METRICS
from tracrcheck.reports import document as doc
from tracrcheck.reports.document import grouped, number
from tracrcheck.runs.compare import CompareResults
from tracrcheck.trained.curve import LEVELS, Curve, Standing, standings

NONE = "-"
KL = METRICS["kl"].label
# Areas of MIB, and their columns.
MIB = {"cpr": "CPR", "cmd": "CMD", "cmd_exact": "CMD exact"}
OF_MIB = (
    "CPR and CMD: of MIB, over its ten sizes, by the logit difference on held-out prompts, median over seeds; CMD as MIB computes it, "
    "and exactly. They are of a method's ranking, or of the circuits of its sweep."
)


def line(made: Curve) -> str:
    shown = f"failed: {made.fault}" if made.fault else f"{len(made.points)} circuits of {made.candidates}"
    return f"{made.method}, seed {made.seed}: {shown}, {made.seconds:.1f} s, {made.peak_mib:.0f} MiB"


def document(results: CompareResults) -> doc.Document:
    asked, curves = results.run["asked"], results.curves
    failed = [found for c in curves if (found := _finding(c)) is not None]
    n, edges = len(curves), asked.get("n_graph_edges", 0)
    return doc.Document(
        command="compare",
        title=f"Methods compared on {asked['task']}",
        word="FAILED" if failed else "made",
        good=not failed,
        outcome=f"{len(failed):,} of {n:,} curves failed" if failed else f"{n:,} of {n:,} curves were made",
        scope=f"{asked['task']} in {asked['model']} ({edges:,} edges), {asked['ablation']} ablation, {asked['prompts']} prompts to "
        f"choose on and as many to judge on, {len(asked['seeds'])} seeds.",
        tiles=(
            doc.Tile("methods", len(asked["methods"])),
            doc.Tile("seeds", len(asked["seeds"])),
            doc.Tile("edges of the model", edges),
        ),
        sections=(
            doc.Section("Failed", [doc.Findings(("method", "seed", "why"), failed)], on=doc.EVERYWHERE),
            doc.Section(
                "At equal divergence", [_table(results), doc.Lines(_standing(results))], on=doc.EVERYWHERE
            ),
            doc.Section("Curves", [plot(results)], on=("html",)),
        ),
        run=results.run,
        suites=doc.suites_of(
            curves, lambda c: c.method, lambda c: doc.Case(f"seed {c.seed}", c.seconds, _finding(c))
        ),
    )


def _table(results: CompareResults) -> doc.Table:
    """A row for each method: the median over seeds at each level, its range in brackets where they differ."""
    by = {(s.method, s.level): s for s in standings(results.curves)}
    mib = any(c.mib is not None for c in results.curves)  # older results do not have it

    def at(level: float) -> Callable[[Sequence[Curve]], str]:
        return lambda of: _cell(by[of[0].method, level])

    return doc.Table.of(
        grouped(results.curves, lambda c: c.method).values(),
        doc.Column("method", lambda of: of[0].method),
        *(number(f"{level:g}", at(level)) for level in LEVELS),
        *(number(heading, partial(_median_area, name)) for name, heading in (MIB.items() if mib else ())),
        number("sweep", lambda of: max(c.candidates for c in of)),
        number("seconds", lambda of: f"{statistics.median(c.seconds for c in of):.1f}"),
        number("MiB", lambda of: f"{max(c.peak_mib for c in of):.0f}"),
        caption=f"Fewest edges by {KL}, on held-out prompts: median over seeds (range)",
        note=f"{NONE}: not reached." + (f" {OF_MIB}" if mib else ""),
    )


def _median_area(name: str, of: Sequence[Curve]) -> str:
    known = [area for c in of if c.mib is not None and (area := getattr(c.mib, name)) is not None]
    return f"{statistics.median(known):.3f}" if known else NONE


def _finding(c: Curve) -> doc.Finding | None:
    if not c.fault:
        return None
    return doc.Finding(
        word="FAILED", title=f"{c.method}, seed {c.seed}", outcome="error", kind="fault", reason=c.fault,
        cells=(doc.Code(c.method), c.seed, c.fault),
    )  # fmt: skip


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
    return [*note, *(_against_fewest(method, of, fewest, counted) for method, of in medians.items())]


def _against_fewest(
    method: str, medians: dict[float, float], fewest: dict[float, float], levels: Sequence[float]
) -> str:
    reached = {x: medians[x] / fewest[x] for x in levels if medians[x] < math.inf}
    if not reached:
        return f"{method} reaches none of these levels"
    best = [x for x, ratio in reached.items() if ratio == 1]
    ratios = ", ".join(f"{ratio:.2f} at {x:g}" for x, ratio in reached.items())
    return f"{method} has the fewest edges at {_list(best)}; its edges over the fewest: {ratios}"


def plot(results: CompareResults) -> doc.Plot:
    """Edges against held-out divergence: for each method the curve of the seed in the middle at 0.1 nats."""
    asked = results.run["asked"]
    curves = {method: _median_curve(of) for method, of in grouped(results.curves, lambda c: c.method).items()}
    return doc.Plot(
        title=f"{asked['task']} in {asked['model']}, {asked['ablation']} ablation",
        x=f"edges of {asked.get('n_graph_edges', 0):,}",
        y=f"{KL}, on held-out prompts",
        curves={
            name: [(p.n_edges, p.held_out_kl) for p in c.points if p.n_edges] for name, c in curves.items()
        },
    )


def _median_curve(of: Sequence[Curve]) -> Curve:
    fewest = {c.seed: math.inf if (n := c.fewest(0.1)) is None else n for c in of}
    return sorted(of, key=lambda c: (fewest[c.seed], c.seed))[len(of) // 2]


def _cell(standing: Standing) -> str:
    found = [n for n in standing.by_seed if n is not None]
    if math.isinf(standing.median):
        return NONE if not found else f"{NONE} ({len(found)} of {len(standing.by_seed)} seeds)"
    low, high = min(found), max(found) if len(found) == len(standing.by_seed) else None
    return f"{standing.median:.12g}" + ("" if low == high else f" ({low}-{high or NONE})")


def _list(levels: Sequence[float]) -> str:
    return f"{', '.join(f'{x:g}' for x in levels)} nats" if levels else "no level"
