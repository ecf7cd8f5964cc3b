"""Seeded faults: which of them some check caught, and which check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table as RichTable

from tracrcheck.mutants import Mutant
from tracrcheck.reports.document import (
    EVERYWHERE,
    Badge,
    Case,
    Code,
    Document,
    Finding,
    Findings,
    Outcome,
    Section,
    Table,
    Tile,
    columns,
)  # fmt: skip
from tracrcheck.reports.findings import block
from tracrcheck.runs.mutants import Found, MutantResults, summary_of

SCOPE = {
    "gauntlet": "Every invariant, then {programs} programs under {ablations} ablations, on a copy for each fault.",
    "suite": "The default tests, on a copy for each fault.",
}


def names(mutants: Sequence[Mutant]) -> RichTable:
    shown = RichTable("fault", "file", "what is wrong", "source", "checked by")
    shown.columns[0].no_wrap = True
    for m in mutants:
        shown.add_row(m.name + (" (blind)" if m.blind else ""), m.file, m.why, m.source, " ".join(m.tests) or "gauntlet")
    return shown


def line(found: Found) -> str:
    return f"{found.status:<8} {found.name} ({found.seconds:.1f} s) {found.killed_by or ''}"


def document(results: MutantResults) -> Document:
    found, asked = results.found, results.run["asked"]
    left = [_finding(row) for row in found if row.status != "killed"]
    counts = {name: len(value) for name, value in asked.items() if isinstance(value, list)}
    scope = SCOPE.get(asked.get("by", ""), "").format_map({"programs": 0, "ablations": 0} | counts)
    wrong = f"{len(left):,} of {len(found):,} seeded faults are not caught"
    findings = Findings(head=("fault", "what is wrong"), of=left)
    return Document(
        command="mutants",
        title="Seeded faults",
        word="survived" if left else "killed",
        good=not left,
        outcome=wrong if left else f"{len(found):,} of {len(found):,} seeded faults are caught",
        scope=scope,
        summary=_scores(found),
        tiles=_tiles(results.document["summary"]),
        sections=(
            Section(title=f"{len(left):,} not caught", blocks=(findings,) if left else (), on=EVERYWHERE),
            Section(title="Seeded faults", blocks=(_table(found),)),
        ),
        run=results.run,
        suites={"seeded faults": [_case(row) for row in found]},
    )


def _scores(found: Sequence[Found]) -> tuple[str, ...]:
    score = summary_of(found)
    return tuple(
        f"{what}: {part['killed']} of {part['total']}"
        for what, part in (("killed", score), ("of those written blind", score["blind"]))
        if part["total"]
    )


def _tiles(summary: dict[str, Any]) -> tuple[Tile, ...]:
    blind = summary["blind"]
    survived, errors = (summary[status] + blind[status] for status in ("survived", "error"))
    return (
        Tile(label=f"of {summary['total']:,} killed", value=f"{summary['killed']:,}", kind="good"),
        Tile(label=f"of {blind['total']:,} written blind, killed", value=f"{blind['killed']:,}", kind="good"),
        Tile(label="survived", value=f"{survived:,}", kind="bad" if survived else "plain"),
        Tile(label="errors", value=f"{errors:,}", kind="unsure" if errors else "plain"),
        Tile(label="seconds", value=f"{summary['seconds']:,.0f}"),
    )


def _finding(row: Found) -> Finding:
    return Finding(
        word=row.status,
        title=row.name,
        reason=row.why,
        why=row.why,
        rows=(("said", row.killed_by or "nothing: every check is green"),),
        replay=f"tracrcheck mutants --only {row.name}",
        cells=(Code(row.name), row.why),
    )


def _case(row: Found) -> Case:
    if row.status == "killed":
        return Case(name=row.name, seconds=row.seconds)
    outcome: Outcome = "failure" if row.status == "survived" else "error"
    return Case(
        name=row.name, seconds=row.seconds, outcome=outcome, kind=row.status, text=block(_finding(row))
    )


def _table(found: Sequence[Found]) -> Table:
    rows = []
    for row in found:
        check = (row.killed_by or "").partition(": ")[0]
        caught = check.split(" ")[0]  # enough to filter by: the gate, or the invariant's name
        name = row.name + (" (blind)" if row.blind else "")
        kind = "blind" if row.blind else ""
        rows.append((name, Badge(row.status), kind, caught, row.killed_by, row.why, f"{row.seconds:.1f}"))
    return Table(
        caption="Every seeded fault",
        columns=columns(
            "fault",
            "status",
            "kind",
            "caught by",
            "it said",
            "what is wrong",
            "seconds",
            numbers=("seconds",),
            choices=("status", "kind", "caught by"),
            wide=("kind", "it said", "what is wrong"),
        ),
        rows=rows,
        note="Blind: written before any check had been looked at." if any(row.blind for row in found) else "",
    )
