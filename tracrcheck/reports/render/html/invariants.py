"""The page of the invariants."""

from __future__ import annotations

from tracrcheck.reports.invariants import rows_of
from tracrcheck.reports.render.html.elements import badge, joined
from tracrcheck.reports.render.html.environment import environment, unfinished
from tracrcheck.reports.render.html.page import Page, Section, Tile
from tracrcheck.reports.render.html.tables import Column, Row, data_table
from tracrcheck.runs.invariants import InvariantResults


def invariants_page(results: InvariantResults) -> Page:
    checks = results.checks
    red = [check for check in checks if check.red]
    told = [check for check in checks if check.violation is not None and not check.red]
    columns = [
        Column(name="invariant"),
        Column(name="checked", number=True),
        Column(name="broken", number=True),
        Column(name="seconds", number=True),
        Column(name="statement"),
    ]
    sections = []
    if red or told:
        shown: list[Row] = [
            (c.invariant, badge("broken" if c.red else "told"), c.subject, c.seed, c.violation)
            for c in (*red, *told)
        ]
        names = [
            Column(name="invariant", choice=True),
            Column(name="word", choice=True),
            Column(name="subject"),
        ]
        names += [Column(name="seed", number=True), Column(name="found")]
        sections.append(
            Section(title="Broken, or told", content=data_table("What was violated", names, shown))
        )
    sections.append(
        Section(title="Invariants", content=data_table("Every invariant", columns, rows_of(checks)))
    )
    sections.append(environment(results.run))
    word = badge("broken" if red else "held")
    return Page(
        title="Invariants",
        lead=joined((unfinished(results.run), word, f" {len(red):,} of {len(checks):,} checks are broken.")),
        tiles=(
            Tile(label="checks", value=f"{len(checks):,}"),
            Tile(label="broken", value=f"{len(red):,}", kind="bad" if red else "good"),
            Tile(label="told, and no law", value=f"{len(told):,}"),
        ),
        sections=tuple(sections),
    )
