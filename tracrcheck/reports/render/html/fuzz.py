"""The page of a fuzzing campaign."""

from __future__ import annotations

from tracrcheck.reports.fuzz import rejections, replay_command
from tracrcheck.reports.render.html import findings
from tracrcheck.reports.render.html.elements import Html, badge, joined, tag
from tracrcheck.reports.render.html.environment import environment, unfinished
from tracrcheck.reports.render.html.page import Page, Section, Tile
from tracrcheck.reports.render.html.tables import Column, Row, data_table, facts
from tracrcheck.runs.fuzz import FuzzResults
from tracrcheck.runs.fuzz_program import Row as Examined
from tracrcheck.runs.fuzz_score import Bar, Score


def fuzz_page(results: FuzzResults) -> Page:
    bar = Bar()
    score = results.score(bar)
    failing = [row for row in results.rows if row.counts and not row.holds]
    sections = []
    if failing:
        sections.append(Section(title=f"{len(failing):,} not exact", content=_failing(failing, results)))
    sections += [
        Section(title="Shares", content=_shares(score)),
        Section(title="What the programs are made of", content=_composition(score, bar, results)),
        Section(title="Every setting", content=_rows(results.rows), folded=True),
        environment(results.run),
    ]
    return Page(
        title=f"Fuzzing: {results.run['asked']['method']}",
        lead=joined((unfinished(results.run), _lead(score))),
        tiles=_tiles(score),
        sections=tuple(sections),
    )


def _lead(score: Score) -> Html:
    if not score.short:
        return joined((badge("HOLDS"), " the bar is reached."))
    return joined((badge("FAILS"), f" the bar is not reached: {'; '.join(score.short)}."))


def _tiles(score: Score) -> tuple[Tile, ...]:
    o = score.overall
    kind = "good" if not score.short else "bad"
    return (
        Tile(label=f"exact of {o.counted:,} settings", value=f"{o.exact:,}", kind=kind),
        Tile(label=f"95 % interval {o.low:.2%} – {o.high:.2%}", value=f"{o.share:.2%}", kind=kind),
        Tile(label="vacuous", value=f"{score.vacuous['overall']:,}"),
        Tile(label="programs", value=f"{score.composition.programs:,}"),
    )


def _failing(failing: list[Examined], results: FuzzResults) -> Html:
    seed = results.run["asked"]["seed"]
    found = [
        findings.of_verdict(row.verdict, replay=replay_command(row, seed)) for row in failing[: findings.MOST]
    ]
    more = len(failing) - len(found)
    return joined(
        (findings.finding_list(found), tag("p", f"and {more:,} more.", class_="note") if more else None)
    )


def _shares(score: Score) -> Html:
    columns = [Column(name="settings")]
    columns += [
        Column(name=name, number=True)
        for name in ("exact", "counted", "share", "low", "high", "vacuous", *score.trivial)
    ]
    rows: list[Row] = [
        (
            name, f"{share.exact:,}", f"{share.counted:,}", f"{share.share:.2%}", f"{share.low:.2%}", f"{share.high:.2%}",
            f"{score.vacuous[name]:,}", *(f"{of[name].share:.1%}" for of in score.trivial.values()),
        )
        for name, share in {"overall": score.overall, **score.ablations}.items()
    ]  # fmt: skip
    note = "Of the settings in which the output can change; low and high: the 95 % Wilson interval; beside them two trivial methods."
    return joined((data_table("Exact settings", columns, rows), tag("p", note, class_="note")))


def _composition(score: Score, bar: Bar, results: FuzzResults) -> Html:
    c, q = score.composition, bar.quotas
    return facts(
        [
            ("2 or more layers", f"{c.two_layers:.1%} (at least {q.two_layers:.0%})"),
            ("attention by tokens", f"{c.attends_by_tokens:.1%} (at least {q.attends_by_tokens:.0%})"),
            ("numerical output", f"{c.numerical:.1%} (at least {q.numerical:.0%})"),
            ("causal", f"{c.causal:.1%}"),
            (
                "median required",
                f"{c.median_required_zero:g} under zero (at least {q.median_required_zero:g})",
            ),
            ("draws", rejections(results.drawn, results.rejected)),
        ]
    )


def _rows(rows: list[Examined]) -> Html:
    columns = [
        Column(name="program"),
        Column(name="ablation", choice=True),
        Column(name="verdict", choice=True),
        Column(name="counted", choice=True),
        Column(name="required", number=True),
        Column(name="found", number=True),
        Column(name="permitted", number=True),
        Column(name="seconds", number=True),
    ]
    shown: list[Row] = [
        (
            row.verdict.program, row.ablation, badge(row.verdict.verdict), "yes" if row.counts else "no: vacuous",
            row.verdict.n_required, row.verdict.n_found, row.n_permitted, f"{row.verdict.seconds:.2f}",
        )
        for row in rows
    ]  # fmt: skip
    return data_table("Every program and setting", columns, shown)
