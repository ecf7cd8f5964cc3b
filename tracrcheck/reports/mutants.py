"""Seeded faults as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from tracrcheck.mutants import Mutant
from tracrcheck.mutants.runner import Found, Hunt
from tracrcheck.mutants.runner import summary as counted

SCHEMA = "tracrcheck.mutants/1"


def names(mutants: Sequence[Mutant]) -> Table:
    shown = Table("fault", "file", "what is wrong", "source")
    shown.columns[0].no_wrap = True
    for m in mutants:
        shown.add_row(m.name + (" (blind)" if m.blind else ""), m.file, m.why, m.source)
    return shown


def line(found: Found) -> str:
    return f"{found.status:<8} {found.name} ({found.seconds:.1f} s) {found.killed_by or ''}"


def table(found: Sequence[Found]) -> Table:
    """A row a fault; of what was said only which check said it."""
    shown = Table("fault", "status", "by", "seconds")
    shown.columns[0].no_wrap = True
    for row in found:
        by = row.killed_by or ""
        shown.add_row(row.name, row.status, by[:70], f"{row.seconds:.1f}")
    return shown


def summary(found: Sequence[Found]) -> str:
    """Every survivor and error with what is wrong in it, then the scores."""
    lines = [
        f"{row.status.upper()} {row.name}: {row.why}" + (f" ({row.killed_by})" if row.killed_by else "")
        for row in found
        if row.status != "killed"
    ]
    score = counted(found)
    for what, part in (("killed", score), ("of those written blind", score["blind"])):
        if part["total"]:
            lines.append(f"{what}: {part['killed']} of {part['total']}")
    return "\n".join(lines)


def document(hunt: Hunt) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "run": hunt.record(),
        "summary": {**counted(hunt.found), "seconds": hunt.seconds},
        "mutants": [found.to_json() for found in hunt.found],
    }
