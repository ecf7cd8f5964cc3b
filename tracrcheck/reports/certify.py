"""Certificates: what is required, what was proved of it, and the circuits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tracrcheck.grading.edge_effects import Evidence
from tracrcheck.reports.context import Beside
from tracrcheck.reports.document import (
    EVERYWHERE,
    Badge,
    Block,
    Case,
    Code,
    Document,
    Drawing,
    Finding,
    Findings,
    Inline,
    Section,
    Table,
    Tile,
    columns,
)  # fmt: skip
from tracrcheck.reports.findings import block
from tracrcheck.reports.picture import picture_of, truth_layer
from tracrcheck.reports.saved import CertificatesFile, setting_words, usable
from tracrcheck.reports.text import computes, reader_computes
from tracrcheck.truth.certificate import PROPERTIES, Certificate

if TYPE_CHECKING:
    from tracrcheck.compiler.compile import Compiled

# Merely permitted edges drawn, over all drawings of a page; programs up to which drawings are open at first.
MOST_LOOSE, OPEN = 2000, 3
One = Mapping[str, Any]  # as docs/json.md says


def document(saved: CertificatesFile, beside: Beside) -> Document:
    every = saved.certificates
    findings = [_finding(c) for c in every if not usable(c)]
    n, bad = len(every), len(findings)
    suites: dict[str, list[Case]] = {}
    for c in every:
        suites.setdefault(c["program"], []).append(_case(c))
    names = list(suites)
    open_ = Findings(head=("program", "setting", "not proved"), of=findings)
    table = _table(every)
    return Document(
        command="certify",
        title=f"Certificates: {', '.join(names) if len(names) <= 3 else f'{len(names):,} programs'}",
        word="not proved" if bad else "proved",
        good=not bad,
        outcome=f"{bad:,} of {n:,} truths are not proved" if bad else f"{n:,} of {n:,} truths are proved",
        scope="A circuit is right with respect to a setting: ablation, criterion, inputs, positions.",
        tiles=(
            Tile(label="settings", value=f"{n:,}"),
            Tile(label="sufficient and minimal", value=f"{n - bad:,}", kind="unsure" if bad else "good"),
            *(
                Tile(label=f"{name} too", value=f"{sum(name in c['proved'] for c in every):,}")
                for name in ("smallest", "unique")
            ),
            Tile(label="vacuous", value=f"{sum(not c['required'] for c in every):,}"),
        ),
        sections=(
            Section(title="Not proved", blocks=(open_,) if findings else (), on=EVERYWHERE),
            Section(title="Certificates", blocks=(table,), on=EVERYWHERE),
            Section(title="Not decided", blocks=_undecided(every)),
            Section(title="Circuits", blocks=(*beside.not_drawn, *_drawings(beside.evidence)), on=("html",)),
        ),
        run=saved.run,
        suites=suites,
    )


def _finding(c: One) -> Finding:
    return Finding(
        word="UNKNOWN",
        title=f"{c['program']}, {setting_words(c)}",
        rows=tuple(c["unknown"].items()),
        cells=(Code(c["program"]), setting_words(c), ", ".join(c["unknown"])),
    )


def _case(c: One) -> Case:
    if usable(c):
        return Case(name=setting_words(c), seconds=0.0)
    return Case(name=setting_words(c), seconds=0.0, outcome="error", kind="UNKNOWN", text=block(_finding(c)))


def _table(certificates: Sequence[One]) -> Table:
    return Table(
        caption="Certificates by program and setting",
        columns=columns(
            "program", "setting", "required", "permitted", *PROPERTIES, "inputs", "items", "gap",
            numbers=("required", "permitted", "inputs", "items"), choices=("setting", *PROPERTIES), wide=("gap",),
        ),
        rows=[
            (
                Code(c["program"]), setting_words(c), len(c["required"]), len(c["permitted"]),
                *(_says(c, name) for name in PROPERTIES), f"{c.get('n_inputs', 0):,}", f"{_items(c):,}",
                gap_words(c.get("gap_below"), c.get("gap_above")),
            )
            for c in certificates
        ],
    )  # fmt: skip


def _items(c: One) -> int:
    return c.get("n_pairs") or c.get("n_inputs", 0)


def _says(c: One, name: str) -> Inline:
    """A word to filter by; the reasons are listed below."""
    if name in c["proved"]:
        sampled = name == "sufficient" and c.get("sampled") is not None
        return f"sampled {_items(c)} of {c['sampled']}" if sampled else Badge("proved")
    return "no" if name == "unique" and c.get("other") else Badge("UNKNOWN")


def _undecided(certificates: Sequence[One]) -> tuple[Block, ...]:
    rows = [
        (f"{c['program']}, {setting_words(c)}", f"{name}: {why}")
        for c in certificates
        for name, why in c["unknown"].items()
    ]
    table = Table(caption="What was not decided, and why", columns=columns("setting", "why"), rows=rows)
    return (table,) if rows else ()


def _drawings(evidence: Sequence[Evidence]) -> list[Block]:
    by_program: dict[str, list[Evidence]] = {}
    for one in evidence:
        by_program.setdefault(one.key[0], []).append(one)
    blocks: list[Block] = []
    for of in by_program.values():
        words = [setting_words(one.certificate.to_json()) for one in of]
        layers = [truth_layer(one, name=name, permitted=True) for one, name in zip(of, words, strict=True)]
        proved = all(one.certificate.usable for one in of)
        blocks.append(
            Drawing(
                picture=picture_of(of, layers),
                word="proved" if proved else "not proved",
                meaning=of[0].meaning,
                folds=True,
                opened=len(by_program) <= OPEN,
                most=max(20, MOST_LOOSE // len(by_program)),
            )
        )
    return blocks


# On the terminal -------------------------------------------------------------------------------------------


def certificate_block(compiled: Compiled, c: Certificate) -> list[str | Table]:
    """What is required, what was proved, and which RASP expressions each edge joins."""
    s = c.setting
    lengths = f", lengths {s.lengths[0]}-{s.lengths[1]}" if s.lengths else ""
    bos = ", position 0 scored" if s.score_bos else ""
    pairs = f"pairs of {c.n_inputs:,} inputs" if s.paired else "inputs"
    parts: list[str | Table] = [
        f"{c.program}: {s.ablation} ablation, criterion {s.criterion}{lengths}{bos}",
        f"  required  {len(c.required)} of {len(c.permitted)} permitted edges{vacuous_words(c)}",
        f"  proved    {proved_words(c)} (on {c.n_items:,} {pairs})",
        *(f"  UNKNOWN   {name}: {why}" for name, why in c.unknown.items()),
        *([f"  another   {', '.join(c.other.texts)}"] if c.other is not None else []),
        f"  gap       {gap_words(c.gap_below, c.gap_above)}",
    ]
    if len(c.required):
        rows = [
            (f"  {e}", computes(compiled, str(e.writer)), reader_computes(compiled, e.reader))
            for e in c.required
        ]
        parts.append(Table(columns=columns("  edge", "writer computes", "reader computes"), rows=rows))
    return parts


def vacuous_words(c: Certificate) -> str:
    return "; vacuous: the output cannot change" if c.vacuous else ""


def proved_words(c: Certificate) -> str:
    words = [f"{name}: {c.says(name)}" if c.says(name) != "proved" else name for name in c.proved]
    if c.other is not None:
        words.append(f"unique: {c.says('unique')}")
    return ", ".join(words) or "nothing"


def gap_words(gap_below: float | None, gap_above: float | None) -> str:
    below = "nothing below" if gap_below is None else f"at most {gap_below:.2g} where faithful"
    above = "nothing above" if gap_above is None else f"at least {gap_above:.2g} where not"
    return f"{below}, {above} (in units of the output's range)"
