"""A fuzzing run: shares of exact settings, what the programs are made of, and every failure."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tracrcheck.reports import document as doc
from tracrcheck.reports.document import choice, number
from tracrcheck.reports.findings import block, edge_rows, finding_of, title_of
from tracrcheck.reports.text import IN_PROCESS
from tracrcheck.runs.fuzz_score import Bar, Score, Share, is_narrow
from tracrcheck.runs.gate_units import TIMEOUT

if TYPE_CHECKING:
    from tracrcheck.runs.fuzz import FuzzResults, Plan
    from tracrcheck.runs.fuzz_program import Row
    from tracrcheck.runs.regressions import Replayed


def document(results: FuzzResults) -> doc.Document:
    bar, asked, rows = Bar(), results.run["asked"], results.rows
    score, plan = results.score(bar), results.plan
    within = ", in process" if plan.in_process else ""
    o = score.overall
    failing = [finding(row, plan) for row in rows if row.counts and not row.holds]
    kind = "bad" if score.short else "good"

    def case(row: Row) -> doc.Case:
        return doc.Case(
            f"{row.ablation}{within}", row.verdict.seconds, None if row.holds else finding(row, plan)
        )

    return doc.Document(
        command="fuzz",
        title=f"Fuzzing: {asked['method']}{within}",
        word="FAILS" if score.short else "HOLDS",
        good=not score.short,
        outcome="the bar is not reached" if score.short else "the bar is reached",
        scope=f"{asked['programs']:,} {plan.size} programs drawn from seed {plan.seed}, {plan.timeout:g} s for each run of the method{within}.",
        summary=(
            *where_it_ran(in_process=plan.in_process),
            f"{o.exact:,} of {o.counted:,} settings exact: {o.share:.2%} (95 % interval {o.low:.2%} to {o.high:.2%}); "
            f"{sum(map(is_narrow, rows)):,} narrow; "
            f"the bar is {'not ' if score.short else ''}reached",
        ),
        tiles=(
            doc.Tile(f"exact of {o.counted:,} settings", o.exact, kind),
            doc.Tile(f"95 % interval {o.low:.2%} – {o.high:.2%}", f"{o.share:.2%}", kind),
            doc.Tile("vacuous", score.vacuous["overall"]),
            doc.Tile("programs", score.composition.programs),
        ),
        sections=(
            doc.Section("Below the bar", [doc.Lines(score.short)], on=doc.EVERYWHERE),
            doc.Section(
                f"{len(failing):,} not exact",
                [doc.Findings(("program", "ablation", "why"), failing)],
                on=doc.EVERYWHERE,
            ),
            doc.Section("Shares", [_shares(results, score)], on=doc.EVERYWHERE),
            doc.Section("What the programs are made of", [_composition(results, score, bar)]),
            doc.Section("Every setting", [_rows(rows)], folded=True, on=("html",)),
        ),
        run=results.run,
        suites=doc.suites_of(rows, lambda row: row.verdict.program, case),
    )


def where_it_ran(*, in_process: bool) -> list[str]:
    """What is said where the method has no process of its own."""
    return [IN_PROCESS] if in_process else []


def finding(row: Row, plan: Plan) -> doc.Finding:
    """Why one setting is not exact, and the command that replays it."""
    v = row.verdict
    words = ["tracrcheck", "fuzz", "--seed", str(plan.seed), "--number", str(row.number)]
    words += [] if plan.size == "small" else ["--size", plan.size]
    words += ["--ablation", row.ablation, "--method", v.method]
    words += [] if plan.timeout == TIMEOUT else ["--timeout", f"{plan.timeout:g}"]
    words += [] if plan.memory is None else ["--memory", str(plan.memory)]
    replay = shlex.join([*words, *(["--in-process"] if plan.in_process else [])])
    return finding_of(v, replay=replay, cells=(doc.Code(v.program), row.ablation, v.reason))


def one(row: Row, plan: Plan) -> str:
    """A single setting, for `--number`."""
    if not row.holds:
        return block(finding(row, plan))
    return f"{row.verdict.verdict} {title_of(row.verdict)}{'' if row.counts else ' (vacuous)'}"


def replayed(name: str, found: Replayed) -> str:
    """The result of replaying one file."""
    if found.passes:
        return f"passes  {name}"
    rows = () if found.row is None else edge_rows(found.row.verdict)
    _, *lines = block(doc.Finding(word="", title="", rows=rows)).splitlines()
    return "\n".join([f"fails   {name}: {found.why}", *lines])


# Parts -------------------------------------------------------------------------------------------------


def _shares(results: FuzzResults, score: Score) -> doc.Table:
    def of(name: str) -> list[Row]:
        return [row for row in results.rows if name in ("overall", row.ablation)]

    def narrow(name: str) -> int:
        return sum(map(is_narrow, of(name)))

    def of_the_others(name: str, share: Share) -> str:
        others = share.counted - narrow(name)
        return f"{share.exact / others:.2%}" if others else ""

    def measured(name: str, form: str) -> doc.Column:
        return number(name, lambda s: format(getattr(s[1], name), form))

    def trivial(method: str) -> doc.Column:
        return number(method, lambda s: f"{score.trivial[method][s[0]].share:.1%}")

    return doc.Table.of(
        {"overall": score.overall, **score.ablations}.items(),
        doc.Column("settings", lambda s: s[0]),
        measured("exact", ","),
        measured("counted", ","),
        measured("share", ".2%"),
        measured("low", ".2%"),
        measured("high", ".2%"),
        number("narrow", lambda s: f"{narrow(s[0]):,}"),
        number("share of the others", lambda s: of_the_others(*s)),
        number(
            "unknown",
            lambda s: f"{sum(row.counts and row.verdict.verdict == 'UNKNOWN' for row in of(s[0])):,}",
        ),
        number("vacuous", lambda s: f"{score.vacuous[s[0]]:,}"),
        number(
            "median seconds",
            lambda s: f"{statistics.median([r.verdict.seconds for r in of(s[0])] or [0.0]):.2f}",
        ),
        *map(trivial, score.trivial),
        caption="Exact settings",
        note="Counted: settings in which the output can change. Low and high: the 95 % Wilson interval. Narrow: nothing is proved, "
        "because a circuit deviates by a tenth of the tolerance to ten times it; these are unknown too, and not exact. The last two columns: "
        "trivial methods on the same settings, all permitted edges and random ones.",
    )


def _composition(results: FuzzResults, score: Score, bar: Bar) -> doc.Facts:
    c, q = score.composition, bar.quotas
    return doc.Facts(
        (
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


def _rows(rows: Sequence[Row]) -> doc.Table:
    return doc.Table.of(
        rows,
        doc.Column("program", lambda row: row.verdict.program),
        choice("ablation"),
        choice("verdict", lambda row: doc.Badge(row.verdict.verdict)),
        choice("counted", lambda row: "yes" if row.counts else "no: vacuous"),
        number("required", lambda row: row.verdict.n_required),
        number("found", lambda row: row.verdict.n_found),
        number("permitted", lambda row: row.n_permitted),
        number("seconds", lambda row: f"{row.verdict.seconds:.2f}"),
        caption="Every program and setting",
    )
