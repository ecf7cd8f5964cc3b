"""Runs of the gauntlet without a fault, as lines of text and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tracrcheck.reports.render.markdown import provenance
from tracrcheck.runs.false_alarms import FalseAlarmResults, QuietRun, summary_of


def line(run: QuietRun) -> str:
    word = "quiet" if run.quiet else f"RED {run.red}" if run.red else f"ERROR {run.error}"
    return f"seed {run.seed} ({run.seconds:.1f} s) {word}"


def summary(runs: Sequence[QuietRun]) -> str:
    """Every run that was not quiet, and a last line."""
    counted = summary_of(runs)
    last = (
        f"{counted['runs']} runs without a fault: {counted['red']} false alarms, {counted['errors']} errors"
    )
    return "\n".join([*(line(run) for run in runs if not run.quiet), last])


def false_alarms_page(results: FalseAlarmResults) -> str:
    """How it was made, and a line for every run."""
    asked = results.run["asked"]
    of = f"every invariant, then {len(asked['programs'])} programs under {len(asked['ablations'])} ablations"
    lines = [
        "# Results of the gauntlet without a fault",
        "",
        *provenance(results.run, f"{of}, on the code as it is"),
    ]
    lines += [
        f"* {summary(results.runs).splitlines()[-1]}",
        "",
        *(f"    {line(run)}" for run in results.runs),
    ]
    return "\n".join([*lines, ""])
