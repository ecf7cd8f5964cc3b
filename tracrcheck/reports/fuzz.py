"""A fuzzing run: shares of exact settings, what the programs are made of, and every failure."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tracrcheck.reports.document import (
    EVERYWHERE,
    Badge,
    Case,
    Code,
    Document,
    Facts,
    Finding,
    Findings,
    Lines,
    Section,
    Table,
    Tile,
    columns,
)  # fmt: skip
from tracrcheck.reports.findings import block, case_of, edge_rows, finding_of, title_of
from tracrcheck.runs.fuzz_score import Bar, Score

if TYPE_CHECKING:
    from tracrcheck.runs.fuzz import FuzzResults
    from tracrcheck.runs.fuzz_program import Row
    from tracrcheck.runs.regressions import Replayed


def document(results: FuzzResults) -> Document:
    bar, asked = Bar(), results.run["asked"]
    score, seed = results.score(bar), asked["seed"]
    o = score.overall
    failing = [finding(row, seed) for row in results.rows if row.counts and not row.holds]
    kind = "bad" if score.short else "good"
    sections = [
        Section(
            title="Below the bar", blocks=(Lines(lines=score.short),) if score.short else (), on=EVERYWHERE
        ),
        Section(
            title=f"{len(failing):,} not exact",
            blocks=(Findings(head=("program", "ablation", "why"), of=failing),) if failing else (),
            on=EVERYWHERE,
        ),
        Section(title="Shares", blocks=(_shares(results, score),), on=EVERYWHERE),
        Section(title="What the programs are made of", blocks=(_composition(results, score, bar),)),
        Section(title="Every setting", blocks=(_rows(results.rows),), folded=True, on=("html",)),
    ]
    suites: dict[str, list[Case]] = {}
    for row in results.rows:
        suites.setdefault(row.verdict.program, []).append(
            case_of(row.verdict, row.ablation, None if row.holds else finding(row, seed))
        )
    return Document(
        command="fuzz",
        title=f"Fuzzing: {asked['method']}",
        word="FAILS" if score.short else "HOLDS",
        good=not score.short,
        outcome="the bar is not reached" if score.short else "the bar is reached",
        scope=f"{asked['programs']:,} programs drawn from seed {seed}, {asked['timeout']:g} s for each run of the method.",
        summary=(
            f"{o.exact:,} of {o.counted:,} settings exact: {o.share:.2%} (95 % interval {o.low:.2%} to {o.high:.2%}); "
            f"the bar is {'not ' if score.short else ''}reached",
        ),
        tiles=(
            Tile(label=f"exact of {o.counted:,} settings", value=f"{o.exact:,}", kind=kind),
            Tile(label=f"95 % interval {o.low:.2%} – {o.high:.2%}", value=f"{o.share:.2%}", kind=kind),
            Tile(label="vacuous", value=f"{score.vacuous['overall']:,}"),
            Tile(label="programs", value=f"{score.composition.programs:,}"),
        ),
        sections=tuple(sections),
        run=results.run,
        suites=suites,
    )


def finding(row: Row, seed: int) -> Finding:
    """Why one setting is not exact, and the command that replays it."""
    v = row.verdict
    words = ["tracrcheck", "fuzz", "--seed", str(seed), "--number", str(row.number)]
    replay = shlex.join([*words, "--ablation", row.ablation, "--method", v.method])
    return finding_of(v, replay=replay, cells=(Code(v.program), row.ablation, v.reason))


def one(row: Row, seed: int) -> str:
    """A single setting, for `--number`."""
    if not row.holds:
        return block(finding(row, seed))
    return f"{row.verdict.verdict} {title_of(row.verdict)}{'' if row.counts else ' (vacuous)'}"


def replayed(name: str, found: Replayed) -> str:
    """The result of replaying one file."""
    if found.passes:
        return f"passes  {name}"
    rows = () if found.row is None else edge_rows(found.row.verdict)
    _, *lines = block(Finding(word="", title="", rows=rows)).splitlines()
    return "\n".join([f"fails   {name}: {found.why}", *lines])


# Parts -------------------------------------------------------------------------------------------------


def _shares(results: FuzzResults, score: Score) -> Table:
    numbers = (
        "exact",
        "counted",
        "share",
        "low",
        "high",
        "unknown",
        "vacuous",
        "median seconds",
        *score.trivial,
    )
    rows = []
    for name, share in {"overall": score.overall, **score.ablations}.items():
        of = [row for row in results.rows if name in ("overall", row.ablation)]
        unknown = sum(row.counts and row.verdict.verdict == "UNKNOWN" for row in of)
        seconds = statistics.median([row.verdict.seconds for row in of] or [0.0])
        rows.append((
            name, f"{share.exact:,}", f"{share.counted:,}", f"{share.share:.2%}", f"{share.low:.2%}", f"{share.high:.2%}",
            f"{unknown:,}", f"{score.vacuous[name]:,}", f"{seconds:.2f}",
            *(f"{trivial[name].share:.1%}" for trivial in score.trivial.values()),
        ))  # fmt: skip
    return Table(
        caption="Exact settings",
        columns=columns("settings", *numbers, numbers=numbers),
        rows=rows,
        note="Counted: settings in which the output can change. Low and high: the 95 % Wilson interval. The last two columns: "
        "trivial methods on the same settings, all permitted edges and random ones.",
    )


def _composition(results: FuzzResults, score: Score, bar: Bar) -> Facts:
    c, q = score.composition, bar.quotas
    return Facts(
        rows=(
            ("programs", f"{c.programs:,}"),
            ("layers", _histogram(c.layers)),
            ("operations", _histogram(c.operations)),
            ("causal", f"{c.causal:.1%}"),
            ("2 or more layers", f"{c.two_layers:.1%} (at least {q.two_layers:.0%})"),
            (
                "attention depends on tokens",
                f"{c.attends_by_tokens:.1%} (at least {q.attends_by_tokens:.0%})",
            ),
            ("numerical output", f"{c.numerical:.1%} (at least {q.numerical:.0%})"),
            (
                "median required under zero",
                f"{c.median_required_zero:g} (at least {q.median_required_zero:g})",
            ),
            ("draws", _rejections(results.drawn, results.rejected)),
            ("longest certification", _slowest(results.rows)),
        )
    )


def _histogram(counts: Mapping[int, int]) -> str:
    return ", ".join(f"{name}: {n}" for name, n in counts.items())


def _rejections(drawn: int, rejected: Mapping[str, int]) -> str:
    reasons = ", ".join(f"{reason}: {n}" for reason, n in sorted(rejected.items(), key=lambda of: -of[1]))
    return f"{drawn} drawn, {sum(rejected.values())} rejected{f' ({reasons})' if reasons else ''}"


def _slowest(rows: Sequence[Row]) -> str:
    longest = max(rows, key=lambda row: row.certify_seconds, default=None)
    if longest is None:
        return "nothing certified"
    return f"{longest.certify_seconds:.1f} s ({longest.verdict.program}, {longest.ablation})"


def _rows(rows: Sequence[Row]) -> Table:
    choices, numbers = ("ablation", "verdict", "counted"), ("required", "found", "permitted", "seconds")
    return Table(
        caption="Every program and setting",
        columns=columns("program", *choices, *numbers, numbers=numbers, choices=choices),
        rows=[
            (
                row.verdict.program, row.ablation, Badge(row.verdict.verdict), "yes" if row.counts else "no: vacuous",
                row.verdict.n_required, row.verdict.n_found, row.n_permitted, f"{row.verdict.seconds:.2f}",
            )
            for row in rows
        ],
    )  # fmt: skip
