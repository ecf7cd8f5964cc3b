"""The page of certificates: what is required, what was proved of it, and the circuits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracrcheck.grading.edge_effects import Absent, Evidence
from tracrcheck.reports.render.html.circuits import circuit_figure
from tracrcheck.reports.render.html.elements import Child, Html, anchor, badge, joined, prose, tag
from tracrcheck.reports.render.html.environment import environment, not_drawn
from tracrcheck.reports.render.html.layers import picture_of, truth_layer
from tracrcheck.reports.render.html.page import Page, Section, Tile
from tracrcheck.reports.render.html.tables import Column, Row, data_table
from tracrcheck.reports.text import gap_words
from tracrcheck.truth.certificate import PROPERTIES, Certificate

# As for the gate: edges that are only permitted, over all drawings of a page, and programs whose drawings are open.
MOST_LOOSE, OPEN = 2000, 3


def certify_page(
    evidence: Sequence[Evidence], run: Mapping[str, Any] | None = None, *, absent: Sequence[Absent] = ()
) -> Page:
    """run: by which command and on what it was made, as far as that is known. absent: programs that could not be read."""
    by_program: dict[str, list[Evidence]] = {}
    for one in evidence:
        by_program.setdefault(one.key[0], []).append(one)
    certificates = [one.certificate for one in evidence]
    sections = [
        Section(title="Certificates", content=_table(certificates)),
        *_unknown(certificates),
        Section(title="Circuits", content=joined((not_drawn(absent), _drawings(list(by_program.values()))))),
        environment(run),
    ]
    usable = sum(c.usable for c in certificates)
    tiles = (
        Tile(label="settings", value=f"{len(certificates):,}"),
        Tile(
            label="sufficient and minimal",
            value=f"{usable:,}",
            kind="good" if usable == len(certificates) else "unsure",
        ),
        Tile(label="smallest too", value=f"{_proved(certificates, 'smallest'):,}"),
        Tile(label="unique too", value=f"{_proved(certificates, 'unique'):,}"),
        Tile(label="vacuous", value=f"{sum(c.vacuous for c in certificates):,}"),
    )
    return Page(
        title=f"Certificates: {_names(list(by_program))}",
        lead=_lead(certificates),
        tiles=tiles,
        sections=tuple(sections),
    )


def _names(programs: Sequence[str]) -> str:
    return ", ".join(programs) if len(programs) <= 3 else f"{len(programs):,} programs"


def _proved(certificates: Sequence[Certificate], name: str) -> int:
    return sum(name in c.proved for c in certificates)


def _lead(certificates: Sequence[Certificate]) -> Html:
    open_ = sum(not c.usable for c in certificates)
    word = badge("proved" if not open_ else "not proved")
    what = "every truth is proved" if not open_ else f"{open_} of {len(certificates)} truths are not proved"
    return joined(
        (
            word,
            f" {what}. A circuit is right with respect to a setting: ablation, criterion, inputs, positions.",
        )
    )


def _table(certificates: Sequence[Certificate]) -> Html:
    columns = [
        Column(name="program"),
        Column(name="setting", choice=True),
        Column(name="required", number=True),
        Column(name="permitted", number=True),
        *(Column(name=name, choice=True) for name in PROPERTIES),
        Column(name="inputs", number=True),
        Column(name="items", number=True),
        Column(name="gap"),
    ]
    return data_table("Certificates by program and setting", columns, [_row(c) for c in certificates])


def _row(c: Certificate) -> Row:
    required: Child = f"{len(c.required)}"
    return [
        c.program,
        setting_words(c),
        required,
        len(c.permitted),
        *(_says(c, name) for name in PROPERTIES),
        f"{c.n_inputs:,}",
        f"{c.n_items:,}",
        gap_words(c),
    ]


def _says(c: Certificate, name: str) -> Child:
    """A word to filter by; the reasons stand below."""
    said = c.says(name)
    if name in c.proved:
        return badge("proved") if said == "proved" else said
    return "no" if said.startswith("no") else badge("UNKNOWN")


def setting_words(c: Certificate) -> str:
    s = c.setting
    lengths = f", lengths {s.lengths[0]}–{s.lengths[1]}" if s.lengths else ""
    return f"{s.ablation}, {s.criterion}{lengths}{', position 0 scored' if s.score_bos else ''}"


def _unknown(certificates: Sequence[Certificate]) -> list[Section]:
    rows = [
        (f"{c.program}, {setting_words(c)}", f"{name}: {why}")
        for c in certificates
        for name, why in c.unknown.items()
    ]
    if not rows:
        return []
    table = data_table("What was not decided, and why", [Column(name="setting"), Column(name="why")], rows)
    return [Section(title="Not decided", content=table)]


def _drawings(programs: Sequence[Sequence[Evidence]]) -> Html:
    most = max(20, MOST_LOOSE // max(len(programs), 1))
    return joined(_drawing(of, len(programs) <= OPEN, most) for of in programs)


def _drawing(evidence: Sequence[Evidence], opened: bool, most: int) -> Html:
    layers = [truth_layer(one, name=setting_words(one.certificate), permitted=True) for one in evidence]
    name = evidence[0].compiled.program.name
    sure = all(one.certificate.usable for one in evidence)
    summary = tag(
        "summary",
        tag("h3", name),
        badge("proved" if sure else "not proved"),
        tag("span", prose(evidence[0].meaning), class_="meaning"),
    )
    figure = circuit_figure(picture_of(evidence, layers), most=most)
    return tag("details", summary, figure, open=opened, class_="program", id=anchor("drawing", name))
