"""Invariants: how often each was checked, and every violation."""

from __future__ import annotations

from collections.abc import Sequence

from tracrcheck.invariants import INVARIANTS
from tracrcheck.reports.document import (
    EVERYWHERE,
    Case,
    Document,
    Finding,
    Findings,
    Section,
    Table,
    Tile,
    columns,
)
from tracrcheck.reports.findings import block
from tracrcheck.runs.invariants import Check, InvariantResults


def document(results: InvariantResults) -> Document:
    asked, checks = results.run["asked"], results.checks
    red = [check for check in checks if check.red]
    told = [check for check in checks if check.violation is not None and not check.red]
    findings = [_finding(check) for check in (*red, *told)]
    suites: dict[str, list[Case]] = {}
    for check in checks:
        suites.setdefault(check.invariant, []).append(_case(check))
    sections = (
        Section(
            title="Broken, or noted",
            blocks=(Findings(head=("invariant", "subject", "seed", "found"), of=findings),)
            if findings
            else (),
            on=EVERYWHERE,
        ),
        Section(title="Invariants", blocks=(_table(checks),), on=EVERYWHERE),
    )
    return Document(
        command="invariants",
        title="Invariants",
        word="broken" if red else "held",
        good=not red,
        outcome=f"{len(red):,} of {len(checks):,} checks are broken",
        scope=f"{len(asked['seeds']):,} seeds, each with {asked['programs']} drawn programs and three random models.",
        summary=(f"{len(checks)} checks, {len(red)} broken",),
        tiles=(
            Tile(label="checks", value=f"{len(checks):,}"),
            Tile(label="broken", value=f"{len(red):,}", kind="bad" if red else "good"),
            Tile(label="noted, not laws", value=f"{len(told):,}"),
        ),
        sections=sections,
        run=results.run,
        suites=suites,
    )


def _table(done: Sequence[Check]) -> Table:
    statements = {invariant.name: invariant.statement for invariant in INVARIANTS}
    by_name: dict[str, list[Check]] = {}
    for check in done:
        by_name.setdefault(check.invariant, []).append(check)
    rows = []
    for name, checks in by_name.items():
        broken = sum(check.violation is not None for check in checks)
        mark = "" if checks[0].law else " (noted)"
        seconds = sum(check.seconds for check in checks)
        rows.append((name, f"{len(checks):,}", f"{broken}{mark}", f"{seconds:.1f}", statements.get(name, "")))
    numbers = ("checked", "broken", "seconds")
    named = columns("invariant", *numbers, "statement", numbers=numbers)
    return Table(caption="Every invariant", columns=named, rows=rows)


def _finding(check: Check) -> Finding:
    return Finding(
        word="broken" if check.red else "noted",
        title=f"{check.invariant} on {check.subject}, seed {check.seed}",
        reason=check.violation or "",
        why=check.violation or "",
        cells=(check.invariant, check.subject, check.seed, check.violation),
    )


def _case(check: Check) -> Case:
    name = f"{check.subject}, seed {check.seed}"
    if not check.red:
        return Case(name=name, seconds=check.seconds)
    return Case(
        name=name, seconds=check.seconds, outcome="failure", kind="broken", text=block(_finding(check))
    )
