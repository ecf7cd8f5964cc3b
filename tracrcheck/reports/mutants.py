"""Seeded faults as a table, as lines of text and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from tracrcheck.mutants import Mutant
from tracrcheck.reports.render.markdown import provenance
from tracrcheck.runs.mutants import Found, MutantResults, summary_of


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
    return "\n".join([*_escaped(found), *_scores(found)])


def _escaped(found: Sequence[Found]) -> list[str]:
    return [
        f"{row.status.upper()} {row.name}: {row.why}" + (f" ({row.killed_by})" if row.killed_by else "")
        for row in found
        if row.status != "killed"
    ]


def _scores(found: Sequence[Found]) -> list[str]:
    score = summary_of(found)
    return [
        f"{what}: {part['killed']} of {part['total']}"
        for what, part in (("killed", score), ("of those written blind", score["blind"]))
        if part["total"]
    ]


def mutants_page(results: MutantResults) -> str:
    """How it was made, the scores, every survivor, and a row for every fault."""
    of = {
        "gauntlet": "every invariant, then {programs} programs under {ablations} ablations, on a copy for each fault",
        "suite": "the default tests, on a copy for each fault",
    }[results.by]
    asked = {name: len(value) for name, value in results.run["asked"].items() if isinstance(value, list)}
    lines = ["# Results of the seeded faults", "", *provenance(results.run, of.format(**asked))]
    lines += [f"* {line}" for line in _scores(results.found)]
    lines += ["", *(f"    {line}" for line in _escaped(results.found)), ""]
    lines += ["| fault | what is wrong | | by | seconds |", "|---|---|---|---|---|"]
    for row in results.found:
        by = (row.killed_by or "").replace("\n", " ")[:160]
        cells = (row.name + (" (blind)" if row.blind else ""), row.why, row.status, by, f"{row.seconds:.1f}")
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join([*lines, ""])
