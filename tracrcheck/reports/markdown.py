"""A results file as a page of Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from tracrcheck.machine import in_words
from tracrcheck.results import Results
from tracrcheck.verdict import Verdict


def results_page(results: Results) -> str:
    """How it was made, the sums of each ablation, and a row for every program."""
    groups: dict[str, dict[str, list[Verdict]]] = {}
    for v in results.verdicts:
        groups.setdefault(v.program, {}).setdefault(v.ablation, []).append(v)
    ablations = list(dict.fromkeys(v.ablation for v in results.verdicts))
    lines = [*_head(results), *_sums(results, ablations)]
    lines += [
        "Required edges; verdicts that HOLD of all seeds; median seconds of the method.",
        "",
        "| program | " + " | ".join(ablations) + " |",
        "|---|" + "---|" * len(ablations),
    ]
    for program, row in groups.items():
        lines.append(f"| {program} | " + " | ".join(_cell(row.get(a, [])) for a in ablations) + " |")
    return "\n".join([*lines, ""])


def _head(results: Results) -> list[str]:
    run, summary = results.run, results.summary
    return [
        "# Results of the gate",
        "",
        *provenance(run, f"criterion {', '.join(run['asked']['criteria'])}"),
        f"* {summary['holds']:,} hold, {summary['fails']:,} fail, {summary['unknown']:,} unknown, {summary['vacuous']:,} vacuous",
        "",
    ]


def provenance(run: Mapping[str, Any], asked: str) -> list[str]:
    """How a results file was made. asked: what was asked of the method, in words."""
    state = "" if run["finished"] else ", NOT FINISHED"
    return [
        f"    {run['command']}",
        "",
        f"* method `{run['asked']['method']}`, {asked}{state}",
        f"* commit {run['commit'] or 'unknown'}, sources {run['sources']['packages'][:12]}",
        f"* begun {run['started']}; {run['seconds']:,.0f} s in {run['sittings']} sitting{'s' if run['sittings'] > 1 else ''}",
        f"* {in_words(run['machine'])}",
    ]


def _sums(results: Results, ablations: Sequence[str]) -> list[str]:
    lines = ["| ablation | exact | of | vacuous | median seconds | most |", "|---|---|---|---|---|---|"]
    for ablation in ablations:
        rows = [v for v in results.verdicts if v.ablation == ablation]
        real = [v for v in rows if not v.vacuous]
        seconds = [v.seconds for v in rows]
        exact = sum(v.verdict == "HOLDS" for v in real)
        lines.append(
            f"| {ablation} | {exact:,} | {len(real):,} | {len(rows) - len(real):,} | {statistics.median(seconds):.2f} | {max(seconds):.2f} |"
        )
    return [*lines, ""]


def _cell(rows: Sequence[Verdict]) -> str:
    if not rows:
        return ""
    holds = sum(v.verdict == "HOLDS" for v in rows)
    exact = f"{holds} of {len(rows)}" if holds == len(rows) else f"**{holds} of {len(rows)}**"
    vacuous = ", vacuous" if rows[0].vacuous else ""
    return f"{rows[0].n_required}{vacuous}; {exact}; {statistics.median(v.seconds for v in rows):.2f} s"
