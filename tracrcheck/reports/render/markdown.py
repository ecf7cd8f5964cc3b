"""A results file as a page of Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from tracrcheck.grading.verdict import Verdict
from tracrcheck.records.machine import in_words
from tracrcheck.reports.gate_baseline import comparison_lines, in_a_sentence
from tracrcheck.reports.text import verdict_block
from tracrcheck.runs.baseline import Comparison
from tracrcheck.runs.gate import Results

# Verdicts of which a page says why they do not hold.
MOST = 20


def results_page(results: Results, compared: Comparison | None = None) -> str:
    """How it was made, the sums of each ablation, a row for every program, and why what does not hold does not.

    compared: with another version's results; then the comparison stands first.
    """
    groups: dict[str, dict[str, list[Verdict]]] = {}
    for v in results.verdicts:
        groups.setdefault(v.program, {}).setdefault(v.ablation, []).append(v)
    ablations = list(dict.fromkeys(v.ablation for v in results.verdicts))
    lines = [*_head(results), *_comparison(compared), *_sums(results, ablations)]
    lines += [
        "Required edges; verdicts that HOLD of all seeds; median seconds of the method.",
        "",
        "| program | " + " | ".join(ablations) + " |",
        "|---|" + "---|" * len(ablations),
    ]
    for program, row in groups.items():
        lines.append(f"| {program} | " + " | ".join(_cell(row.get(a, [])) for a in ablations) + " |")
    return "\n".join([*lines, "", *_wrong(results)])


def _comparison(compared: Comparison | None) -> list[str]:
    if compared is None:
        return []
    word = in_a_sentence(compared)
    return [f"**{word}.**", "", *(f"    {line}" for line in comparison_lines(compared)), ""]


def _wrong(results: Results) -> list[str]:
    wrong = [v for v in results.verdicts if v.verdict != "HOLDS"]
    if not wrong:
        return []
    lines = [f"## {len(wrong):,} not right", ""]
    for v in wrong[:MOST]:
        lines += [*(f"    {line}" for line in verdict_block(v, v.program).splitlines()), ""]
    return [*lines, *([f"and {len(wrong) - MOST:,} more.", ""] if len(wrong) > MOST else [])]


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
    """How a results file was made. asked: what was asked, of the method where there is one, in words."""
    state = "" if run["finished"] else ", NOT FINISHED"
    method = f"method `{run['asked']['method']}`, " if "method" in run["asked"] else ""
    return [
        f"    {run['command']}",
        "",
        f"* {method}{asked}{state}",
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
