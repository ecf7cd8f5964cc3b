"""Invariants as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from tracrcheck.invariants.runner import Checked

SCHEMA = "tracrcheck.invariants/1"


def table(done: Sequence[Checked]) -> Table:
    """A row an invariant: on how many subjects it was checked, where it is broken, and its statement."""
    shown = Table("invariant", "checked", "broken", "seconds", "statement")
    for name in dict.fromkeys(checked.invariant.name for checked in done):
        rows = [checked for checked in done if checked.invariant.name == name]
        broken = sum(checked.violation is not None for checked in rows)
        mark = "" if rows[0].invariant.law else " (told)"
        seconds = sum(checked.seconds for checked in rows)
        shown.add_row(name, str(len(rows)), f"{broken}{mark}", f"{seconds:.1f}", rows[0].invariant.statement)
    return shown


def summary(done: Sequence[Checked]) -> str:
    """Every violation with its subject, and a last line."""
    lines = [
        f"{'BROKEN' if c.red else 'told'} {c.invariant.name} on {c.subject}, seed {c.seed}: {c.violation}"
        for c in done
        if c.violation is not None
    ]
    red = sum(checked.red for checked in done)
    return "\n".join([*lines, f"{len(done)} checks, {red} broken"])


def document(done: Sequence[Checked]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "summary": {"checks": len(done), "broken": sum(checked.red for checked in done)},
        "checks": [checked.to_json() for checked in done],
    }
