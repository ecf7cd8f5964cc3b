"""Runs of the gauntlet without a fault: every one should be quiet."""

from __future__ import annotations

from tracrcheck.reports import document as doc
from tracrcheck.reports.document import choice, number
from tracrcheck.runs.false_alarms import FalseAlarmResults, QuietRun, summary_of


def line(run: QuietRun) -> str:
    word = "quiet" if run.quiet else f"RED {run.red}" if run.red else f"ERROR {run.error}"
    return f"seed {run.seed} ({run.seconds:.1f} s) {word}"


def document(results: FalseAlarmResults) -> doc.Document:
    asked, runs = results.run["asked"], results.runs
    loud = [found for run in runs if (found := _finding(run)) is not None]
    counted = summary_of(runs)
    return doc.Document(
        command="mutants --false-alarms",
        title="The gauntlet without a fault",
        word="red" if loud else "quiet",
        good=not loud,
        outcome=f"{len(loud):,} false alarms in {len(runs):,} runs",
        scope=f"Every invariant, then {len(asked['programs'])} programs under {len(asked['ablations'])} ablations, on the code as "
        "it is.",
        summary=(
            f"{counted['runs']} runs without a fault: {counted['red']} false alarms, {counted['errors']} errors",
        ),
        tiles=(doc.Tile("runs", len(runs)), doc.Tile("false alarms", len(loud), "bad" if loud else "good")),
        sections=(
            doc.Section("Not quiet", [doc.Findings(("seed", "it said"), loud)], on=doc.EVERYWHERE),
            doc.Section("Runs", [_table(results)], on=("markdown", "html")),
        ),
        run=results.run,
        suites={"gauntlet": [doc.Case(f"seed {run.seed}", run.seconds, _finding(run)) for run in runs]},
    )


def _finding(run: QuietRun) -> doc.Finding | None:
    if run.quiet:
        return None
    said = run.red or run.error or ""
    return doc.Finding(
        word="red" if run.red else "error",
        title=f"seed {run.seed}",
        outcome="failure" if run.red else "error",
        reason=said,
        cells=(run.seed, said),
    )


def _table(results: FalseAlarmResults) -> doc.Table:
    return doc.Table.of(
        results.runs,
        number("seed"),
        choice("status", lambda run: doc.Badge("quiet" if run.quiet else "red" if run.red else "error")),
        doc.Column("it said", lambda run: run.red or run.error),
        number("seconds", lambda run: f"{run.seconds:.1f}"),
        caption="Every run",
    )
