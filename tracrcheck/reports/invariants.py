"""Invariants as a table, as lines of text and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from tracrcheck.invariants import INVARIANTS
from tracrcheck.reports.render.markdown import provenance
from tracrcheck.runs.invariants import Check, InvariantResults


def table(done: Sequence[Check]) -> Table:
    """A row an invariant: on how many subjects it was checked, where it is broken, and its statement."""
    shown = Table("invariant", "checked", "broken", "seconds", "statement")
    for row in rows_of(done):
        shown.add_row(*row)
    return shown


def rows_of(done: Sequence[Check]) -> list[list[str]]:
    """Name, checks, broken, seconds, statement."""
    statements = {invariant.name: invariant.statement for invariant in INVARIANTS}
    by_name: dict[str, list[Check]] = {}
    for check in done:
        by_name.setdefault(check.invariant, []).append(check)
    rows = []
    for name, checks in by_name.items():
        broken = sum(check.violation is not None for check in checks)
        mark = "" if checks[0].law else " (told)"
        seconds = sum(check.seconds for check in checks)
        rows.append([name, f"{len(checks):,}", f"{broken}{mark}", f"{seconds:.1f}", statements.get(name, "")])
    return rows


def violations(done: Sequence[Check]) -> list[str]:
    """Each with its subject."""
    return [
        f"{'BROKEN' if c.red else 'told'} {c.invariant} on {c.subject}, seed {c.seed}: {c.violation}"
        for c in done
        if c.violation is not None
    ]


def summary(done: Sequence[Check]) -> str:
    """Every violation, and a last line."""
    red = sum(check.red for check in done)
    return "\n".join([*violations(done), f"{len(done)} checks, {red} broken"])


def invariants_page(results: InvariantResults) -> str:
    """How it was made, a row for every invariant, and every violation."""
    asked, checks = results.run["asked"], results.checks
    of = f"{len(asked['seeds']):,} seeds, {asked['programs']} drawn programs each beside three random models"
    red = sum(check.red for check in checks)
    lines = ["# Results of the invariants", "", *provenance(results.run, of)]
    lines += [f"* {len(checks):,} checks, {red:,} broken", ""]
    lines += ["| invariant | checked | broken | seconds | statement |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows_of(checks)]
    lines += ["", *(f"    {line}" for line in violations(checks))]
    return "\n".join([*lines, ""]).rstrip("\n") + "\n"
