"""Seeded faults: which of them some check caught, and which check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracrcheck.mutants import Mutant
from tracrcheck.reports import document as doc
from tracrcheck.reports.document import choice, number
from tracrcheck.runs.mutants import Found, MutantResults, summary_of

SCOPE = {
    "gauntlet": "Every invariant, then {programs} programs under {ablations} ablations, on a copy for each fault.",
    "suite": "The default tests, on a copy for each fault.",
}


def names(mutants: Sequence[Mutant]) -> doc.Table:
    return doc.Table.of(
        mutants,
        doc.Column("fault", _name),
        doc.Column("file"),
        doc.Column("what is wrong", lambda m: m.why),
        doc.Column("source", lambda m: f"{m.source} (seen by tests alone)" if m.tests else m.source),
    )


def _name(fault: Mutant | Found) -> str:
    return f"{fault.name} (blind)" if fault.blind else fault.name


def line(found: Found) -> str:
    return f"{found.status:<8} {found.name} ({found.seconds:.1f} s) {found.killed_by or ''}"


def document(results: MutantResults) -> doc.Document:
    found, asked = results.found, results.run["asked"]
    left = [one for row in found if (one := _finding(row)) is not None]
    n, counts = len(found), {name: len(value) for name, value in asked.items() if isinstance(value, list)}
    return doc.Document(
        command="mutants",
        title="Seeded faults",
        word="survived" if left else "killed",
        good=not left,
        outcome=f"{len(left):,} of {n:,} seeded faults are not caught"
        if left
        else f"{n:,} of {n:,} seeded faults are caught",
        scope=SCOPE.get(asked.get("by", ""), "").format_map({"programs": 0, "ablations": 0} | counts),
        summary=_scores(found),
        tiles=_tiles(results.document["summary"]),
        sections=(
            doc.Section(
                f"{len(left):,} not caught",
                [doc.Findings(("fault", "what is wrong"), left)],
                on=doc.EVERYWHERE,
            ),
            doc.Section("Seeded faults", [_table(found)]),
        ),
        run=results.run,
        suites={"seeded faults": [doc.Case(row.name, row.seconds, _finding(row)) for row in found]},
    )


def _scores(found: Sequence[Found]) -> tuple[str, ...]:
    score = summary_of(found)
    return tuple(
        f"{what}: {part['killed']} of {part['total']}"
        for what, part in (("killed", score), ("of those written blind", score["blind"]))
        if part["total"]
    )


def _tiles(summary: dict[str, Any]) -> list[doc.Tile]:
    blind = summary["blind"]
    survived, errors = (summary[status] + blind[status] for status in ("survived", "error"))
    return [
        doc.Tile(f"of {summary['total']:,} killed", summary["killed"], "good"),
        doc.Tile(f"of {blind['total']:,} written blind, killed", blind["killed"], "good"),
        doc.Tile("survived", survived, "bad" if survived else "plain"),
        doc.Tile("errors", errors, "unsure" if errors else "plain"),
        doc.Tile("seconds", f"{summary['seconds']:,.0f}"),
    ]


def _finding(row: Found) -> doc.Finding | None:
    if row.status == "killed":
        return None
    return doc.Finding(
        word=row.status,
        title=row.name,
        outcome="failure" if row.status == "survived" else "error",
        reason=row.why,
        rows=(("said", row.killed_by or "nothing: every check is green"),),
        replay=f"tracrcheck mutants --only {row.name}",
        cells=(doc.Code(row.name), row.why),
    )


def _table(found: Sequence[Found]) -> doc.Table:
    return doc.Table.of(
        found,
        doc.Column("fault", _name),
        choice("status", lambda row: doc.Badge(row.status)),
        choice("kind", lambda row: "blind" if row.blind else "", wide=True),
        choice("caught by", _check),
        doc.Column("it said", lambda row: row.killed_by, wide=True),
        doc.Column("what is wrong", lambda row: row.why, wide=True),
        number("seconds", lambda row: f"{row.seconds:.1f}"),
        caption="Every seeded fault",
        note="Blind: written before any check had been looked at." if any(row.blind for row in found) else "",
    )


def _check(row: Found) -> str:
    """Enough to filter by: the gate, or the name of the invariant."""
    return (row.killed_by or "").partition(": ")[0].split(" ")[0]
