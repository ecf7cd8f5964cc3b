"""The page of a hunt: every seeded fault, and the check that caught it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracrcheck.reports.render.html.elements import Html, badge, joined, tag
from tracrcheck.reports.render.html.environment import environment, unfinished
from tracrcheck.reports.render.html.findings import Finding, finding_list
from tracrcheck.reports.render.html.page import Page, Section, Tile
from tracrcheck.reports.render.html.tables import Column, Row, data_table
from tracrcheck.runs.false_alarms import FalseAlarmResults


def mutants_page(document: Mapping[str, Any]) -> Page:
    """document: as docs/json.md says."""
    rows, summary, run = document["mutants"], document["summary"], document["run"]
    left = [row for row in rows if row["status"] != "killed"]
    sections = [
        *([Section(title=f"{len(left):,} not caught", content=_left(left))] if left else []),
        Section(title="Seeded faults", content=_table(rows)),
        environment(run),
    ]
    return Page(
        title="Seeded faults",
        lead=joined((unfinished(run), _lead(rows))),
        tiles=_tiles(summary),
        sections=tuple(sections),
    )


def false_alarms_page(results: FalseAlarmResults) -> Page:
    red = [run for run in results.runs if not run.quiet]
    columns = [Column(name="seed", number=True), Column(name="status", choice=True), Column(name="it said"),
               Column(name="seconds", number=True)]  # fmt: skip
    rows: list[Row] = [
        (str(run.seed), badge("quiet" if run.quiet else "red" if run.red else "error"),
         run.red or run.error or "", f"{run.seconds:.1f}")
        for run in results.runs
    ]  # fmt: skip
    return Page(
        title="The gauntlet without a fault",
        lead=joined((unfinished(results.run), f"{len(red):,} false alarms in {len(results.runs):,} runs.")),
        tiles=(
            Tile(label="runs", value=f"{len(results.runs):,}"),
            Tile(label="false alarms", value=f"{len(red):,}", kind="bad" if red else "good"),
        ),
        sections=(
            Section(title="Runs", content=data_table("Every run", columns, rows)),
            environment(results.run),
        ),
    )


def _lead(rows: list[dict[str, Any]]) -> Html:
    killed = sum(row["status"] == "killed" for row in rows)
    word = badge("killed" if killed == len(rows) else "survived")
    return joined((word, f" {killed:,} of {len(rows):,} seeded faults were caught by some check."))


def _tiles(summary: Mapping[str, Any]) -> tuple[Tile, ...]:
    blind = summary["blind"]
    return (
        Tile(label=f"of {summary['total']:,} killed", value=f"{summary['killed']:,}", kind="good"),
        Tile(label=f"of {blind['total']:,} written blind, killed", value=f"{blind['killed']:,}", kind="good"),
        Tile(
            label="survived",
            value=f"{_both(summary, 'survived'):,}",
            kind="bad" if _both(summary, "survived") else "plain",
        ),
        Tile(
            label="errors",
            value=f"{_both(summary, 'error'):,}",
            kind="unsure" if _both(summary, "error") else "plain",
        ),
        Tile(label="seconds", value=f"{summary['seconds']:,.0f}"),
    )


def _both(summary: Mapping[str, Any], status: str) -> int:
    return summary[status] + summary["blind"][status]


def _left(rows: list[dict[str, Any]]) -> Html:
    found = [
        Finding(
            word=row["status"],
            title=row["name"],
            rows=(
                ("what is wrong", row["why"]),
                ("said", row["killed_by"] or "nothing: every check is green"),
            ),
            replay=f"tracrcheck mutants --only {row['name']}",
        )
        for row in rows
    ]
    return finding_list(found)


def _table(rows: list[dict[str, Any]]) -> Html:
    columns = [
        Column(name="fault"),
        Column(name="status", choice=True),
        Column(name="kind", choice=True),
        Column(name="caught by", choice=True),
        Column(name="it said"),
        Column(name="what is wrong"),
        Column(name="seconds", number=True),
    ]
    shown: list[Row] = []
    for row in rows:
        check, _, said = (row["killed_by"] or "").partition(": ")
        kind = "blind" if row["blind"] else ""
        shown.append((row["name"], badge(row["status"]), kind, _kind_of(check), f"{check}: {said}" if said else check,
                      row["why"], f"{row['seconds']:.1f}"))  # fmt: skip
    note = "Blind: written before any check had been looked at."
    return joined((data_table("Every seeded fault", columns, shown), tag("p", note, class_="note")))


def _kind_of(check: str) -> str:
    """Enough to filter by: the gate, or the invariant's name."""
    return check.split(" ")[0] if check else ""
