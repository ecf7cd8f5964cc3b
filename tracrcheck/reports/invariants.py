"""Invariants: how often each was checked, and every violation."""

from __future__ import annotations

from collections.abc import Sequence

from tracrcheck.invariants import INVARIANTS
from tracrcheck.invariants.runner import Checked
from tracrcheck.reports import document as doc
from tracrcheck.reports.document import grouped, number
from tracrcheck.reports.text import count
from tracrcheck.runs.invariants import InvariantResults


def document(results: InvariantResults) -> doc.Document:
    asked, checks = results.run["asked"], results.checks
    findings = sorted(filter(None, map(_finding, checks)), key=lambda found: found.word != "broken")
    red = sum(check.red for check in checks)
    head = ("invariant", "subject", "seed", "found")
    return doc.Document(
        command="invariants",
        title="Invariants",
        word="broken" if red else "held",
        good=not red,
        outcome=f"{red:,} of {len(checks):,} checks are broken",
        scope=f"{count(len(asked['seeds']), 'seed')}, each with {count(asked['programs'], 'drawn program')} and three random models.",
        summary=(f"{len(checks):,} checks, {red:,} broken",),
        tiles=(
            doc.Tile("checks", len(checks)),
            doc.Tile("broken", red, "bad" if red else "good"),
            doc.Tile("noted, not laws", len(findings) - red),
        ),
        sections=(
            doc.Section("Broken, or noted", [doc.Findings(head, findings)], on=doc.EVERYWHERE),
            doc.Section("Invariants", [_table(checks)], on=doc.EVERYWHERE),
        ),
        run=results.run,
        suites=doc.suites_of(checks, lambda check: check.invariant, _case),
    )


def _case(check: Checked) -> doc.Case:
    return doc.Case(f"{check.subject}, seed {check.seed}", check.seconds, _finding(check))


def _finding(check: Checked) -> doc.Finding | None:
    if check.violation is None:
        return None
    return doc.Finding(
        word="broken" if check.red else "noted",
        title=f"{check.invariant} on {check.subject}, seed {check.seed}",
        outcome="failure" if check.red else "passed",
        reason=check.violation,
        cells=(check.invariant, check.subject, check.seed, check.violation),
    )


def _table(checks: Sequence[Checked]) -> doc.Table:
    statements = {invariant.name: invariant.statement for invariant in INVARIANTS}
    return doc.Table.of(
        grouped(checks, lambda check: check.invariant).values(),
        doc.Column("invariant", lambda of: of[0].invariant),
        number("checked", lambda of: f"{len(of):,}"),
        number(
            "broken",
            lambda of: f"{sum(c.violation is not None for c in of)}{'' if of[0].law else ' (noted)'}",
        ),
        number("seconds", lambda of: f"{sum(c.seconds for c in of):.1f}"),
        doc.Column("statement", lambda of: statements.get(of[0].invariant, "")),
        caption="Every invariant",
    )
