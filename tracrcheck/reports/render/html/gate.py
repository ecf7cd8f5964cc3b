"""The page of a run of the gate."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracrcheck.grading.edge_effects import Evidence
from tracrcheck.grading.verdict import Verdict
from tracrcheck.reports.context import Beside
from tracrcheck.reports.gate_baseline import comparison_lines, in_a_sentence
from tracrcheck.reports.render.html import findings
from tracrcheck.reports.render.html.circuits import MOST, circuit_figure
from tracrcheck.reports.render.html.elements import Child, Html, anchor, badge, joined, prose, tag
from tracrcheck.reports.render.html.environment import environment, not_drawn, unfinished
from tracrcheck.reports.render.html.layers import judged_layer, picture_of
from tracrcheck.reports.render.html.page import Page, Section, Tile
from tracrcheck.reports.render.html.tables import Cell, Column, Row, data_table
from tracrcheck.reports.text import share
from tracrcheck.runs.baseline import Comparison
from tracrcheck.runs.gate import Results

# Edges that no layer requires, over all drawings of a page: they keep it under two megabytes.
MOST_LOOSE = 1000
# Programs up to which every drawing is open at once.
OPEN = 3
Group = tuple[str, str, str]


def gate_page(results: Results, beside: Beside) -> Page:
    groups = _grouped(results.verdicts)
    wrong = [v for v in results.verdicts if v.verdict != "HOLDS"]
    drawn = {one.key[0] for one in beside.evidence}
    sections = [*_compared(beside.compared), *_wrong(wrong, drawn, beside), _by_setting(groups, drawn)]
    sections += [*_drawings(groups, beside), *_every(results.verdicts, groups), environment(results.run)]
    return Page(
        title=f"Gate: {results.run['asked']['method']}",
        lead=joined((unfinished(results.run), _lead(results))),
        tiles=_tiles(results),
        sections=tuple(sections),
    )


def _grouped(verdicts: Sequence[Verdict]) -> dict[Group, list[Verdict]]:
    groups: dict[Group, list[Verdict]] = {}
    for v in verdicts:
        groups.setdefault((v.program, v.ablation, v.criterion), []).append(v)
    return groups


# The head ----------------------------------------------------------------------------------------------


def _lead(results: Results) -> Html:
    summary, asked = results.summary, results.run["asked"]
    wrong = summary["fails"] + summary["unknown"]
    n = len(results.verdicts)
    word = badge(
        "HOLDS"
        if not summary["fails"] and not summary["unknown"]
        else "FAILS"
        if summary["fails"]
        else "UNKNOWN"
    )
    what = f"all {n:,} verdicts hold" if not wrong else f"{wrong:,} of {n:,} verdicts do not hold"
    programs = len({v.program for v in results.verdicts})
    ablations, seeds = ", ".join(asked["ablations"]), len(asked["seeds"])
    return joined((
        word, f" {what}: {programs:,} program{'s' if programs != 1 else ''} under {ablations} ablation, "
        f"criterion {', '.join(asked['criteria'])}, {seeds} seed{'s' if seeds != 1 else ''}.",
    ))  # fmt: skip


def _tiles(results: Results) -> tuple[Tile, ...]:
    s = results.summary
    return (
        Tile(label="hold", value=f"{s['holds']:,}", kind="good" if s["holds"] else "plain"),
        Tile(label="fail", value=f"{s['fails']:,}", kind="bad" if s["fails"] else "plain"),
        Tile(label="unknown", value=f"{s['unknown']:,}", kind="unsure" if s["unknown"] else "plain"),
        Tile(label="vacuous", value=f"{s['vacuous']:,}"),
        Tile(label="seconds", value=f"{s['seconds']:,.1f}"),
    )


def _compared(compared: Comparison | None) -> list[Section]:
    if compared is None:
        return []
    title = in_a_sentence(compared, " from the baseline")
    return [Section(title=title, content=tag("pre", "\n".join(comparison_lines(compared))))]


def _wrong(wrong: Sequence[Verdict], drawn: set[str], beside: Beside) -> list[Section]:
    if not wrong:
        return []
    alike: dict[tuple[str, ...], list[Verdict]] = {}
    for v in sorted(wrong, key=lambda v: v.verdict != "FAILS"):
        key = (v.program, v.ablation, v.criterion, v.verdict, v.reason or "", v.found_sha, v.detail)
        alike.setdefault(key, []).append(v)
    found = [_finding(verdicts, drawn, beside) for verdicts in list(alike.values())[: findings.MOST]]
    more = len(alike) - len(found)
    rest = tag("p", f"and {more:,} more, which stand in the tables below.", class_="note") if more else None
    return [Section(title=f"{len(wrong):,} not right", content=joined((findings.finding_list(found), rest)))]


def _finding(alike: Sequence[Verdict], drawn: set[str], beside: Beside) -> findings.Finding:
    """The first of those that went wrong in the same way, and the seeds of all."""
    first = alike[0]
    link = drawing_id(first.program) if first.program in drawn else None
    seeds = [v.seed for v in alike]
    return findings.of_verdict(first, replay=beside.replay(first), link=link, seeds=seeds)


def drawing_id(program: str) -> str:
    return anchor("drawing", program)


# Tables ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """Which columns there is a use for."""

    criteria: bool
    seeds: bool
    ranked: bool
    vacuous: bool

    @classmethod
    def of(cls, groups: Mapping[Group, Sequence[Verdict]]) -> _Shape:
        verdicts = [v for rows in groups.values() for v in rows]
        return cls(
            criteria=len({v.criterion for v in verdicts}) > 1,
            seeds=any(len(rows) > 1 for rows in groups.values()),
            ranked=any(v.ranking for v in verdicts),
            vacuous=any(v.vacuous for v in verdicts),
        )

    def columns(self) -> list[Column]:
        return [
            Column(name="program"),
            Column(name="ablation", choice=True),
            *([Column(name="criterion", choice=True)] if self.criteria else []),
            Column(name="verdict", choice=True),
            *([Column(name="hold", number=True), Column(name="of seeds", number=True)] if self.seeds else []),
            Column(name="required", number=True),
            Column(name="found", number=True),
            *([Column(name="lowest AUROC" if self.seeds else "AUROC", number=True)] if self.ranked else []),
            Column(name="median seconds" if self.seeds else "seconds", number=True),
            *([Column(name="vacuous", choice=True)] if self.vacuous else []),
        ]

    def row(self, group: Group, rows: Sequence[Verdict], name: Child) -> Row:
        sizes = sorted({v.n_found for v in rows})
        found = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]}–{sizes[-1]}"
        known = [v.ranking.auroc for v in rows if v.ranking and v.ranking.auroc is not None]
        return [
            name,
            group[1],
            *([group[2]] if self.criteria else []),
            badge(_worst(rows)),
            *([sum(v.verdict == "HOLDS" for v in rows), len(rows)] if self.seeds else []),
            rows[0].n_required,
            Cell(shown=found, sort=sizes[-1]),
            *([share(min(known, default=None))] if self.ranked else []),
            f"{statistics.median(v.seconds for v in rows):.2f}",
            *(["vacuous" if rows[0].vacuous else ""] if self.vacuous else []),
        ]


def _by_setting(groups: Mapping[Group, Sequence[Verdict]], drawn: set[str]) -> Section:
    shape = _Shape.of(groups)
    rows = []
    for group, verdicts in groups.items():
        program = group[0]
        link = tag("a", program, href=f"#{drawing_id(program)}") if program in drawn else program
        rows.append(shape.row(group, verdicts, link))
    table = data_table("Verdicts by program and setting", shape.columns(), rows)
    note = "Vacuous: nothing is required, since the output cannot change." if shape.vacuous else None
    return Section(title="Verdicts", content=joined((table, tag("p", note, class_="note") if note else None)))


def _worst(rows: Sequence[Verdict]) -> str:
    return next(word for word in ("FAILS", "UNKNOWN", "HOLDS") if any(v.verdict == word for v in rows))


def _every(verdicts: Sequence[Verdict], groups: Mapping[Group, Sequence[Verdict]]) -> list[Section]:
    """Seed by seed, where that is more than one row for each setting."""
    if len(groups) == len(verdicts):
        return []
    columns = [
        Column(name="program"),
        Column(name="ablation", choice=True),
        Column(name="seed", number=True, choice=True),
        Column(name="verdict", choice=True),
        Column(name="why", choice=True),
        Column(name="missing", number=True),
        Column(name="surplus", number=True),
        Column(name="seconds", number=True),
    ]
    rows: list[Row] = [
        (
            v.program,
            v.ablation,
            v.seed,
            badge(v.verdict),
            _reason(v),
            len(v.missing),
            len(v.extra),
            f"{v.seconds:.2f}",
        )
        for v in verdicts
    ]
    table = data_table("Every verdict, seed by seed", columns, rows)
    return [Section(title="Every verdict", content=table, folded=True)]


def _reason(v: Verdict) -> str:
    return "UNKNOWN" if v.verdict == "UNKNOWN" else v.reason or ""


# Drawings ----------------------------------------------------------------------------------------------


def _drawings(groups: Mapping[Group, Sequence[Verdict]], beside: Beside) -> list[Section]:
    by_program: dict[str, list[Evidence]] = {}
    for one in beside.evidence:
        if one.key in groups:
            by_program.setdefault(one.key[0], []).append(one)
    if not by_program and not beside.absent:
        return []
    most = min(MOST, max(12, MOST_LOOSE // max(len(by_program), 1)))
    parts = [_drawing(evidence, groups, len(by_program) <= OPEN, most) for evidence in by_program.values()]
    notes = [
        tag("p", "The sources have changed since: the circuits drawn are those of the programs as they are now. ",
            "; ".join(beside.stale), class_="warning") if beside.stale else None,
        not_drawn(beside.absent),
    ]  # fmt: skip
    return [Section(title="Circuits", content=joined((*notes, *parts)))]


def _drawing(
    evidence: Sequence[Evidence], groups: Mapping[Group, Sequence[Verdict]], opened: bool, most: int
) -> Html:
    many = len({one.setting.criterion for one in evidence}) > 1
    layers = [judged_layer(one, groups[one.key], name=_name(one, many)) for one in evidence]
    rows = [v for one in evidence for v in groups[one.key]]
    name, meaning = evidence[0].compiled.program.name, evidence[0].meaning
    summary = tag(
        "summary", tag("h3", name), badge(_worst(rows)), tag("span", prose(meaning), class_="meaning")
    )
    figure = circuit_figure(picture_of(evidence, layers), most=most)
    wrong = any(layer.wrong for layer in layers)
    return tag("details", summary, figure, open=opened or wrong, class_="program", id=drawing_id(name))


def _name(one: Evidence, many: bool) -> str:
    return f"{one.setting.ablation}, {one.setting.criterion}" if many else one.setting.ablation
