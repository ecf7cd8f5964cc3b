"""Runs of the gauntlet without a fault: every one should be quiet."""

from __future__ import annotations

from tracrcheck.reports.document import (
    EVERYWHERE,
    Badge,
    Case,
    Document,
    Finding,
    Findings,
    Outcome,
    Section,
    Table,
    Tile,
    columns,
)
from tracrcheck.reports.findings import block
from tracrcheck.runs.false_alarms import FalseAlarmResults, QuietRun, summary_of


def line(run: QuietRun) -> str:
    word = "quiet" if run.quiet else f"RED {run.red}" if run.red else f"ERROR {run.error}"
    return f"seed {run.seed} ({run.seconds:.1f} s) {word}"


def document(results: FalseAlarmResults) -> Document:
    asked, runs = results.run["asked"], results.runs
    loud = [_finding(run) for run in runs if not run.quiet]
    counted = summary_of(runs)
    return Document(
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
        tiles=(
            Tile(label="runs", value=f"{len(runs):,}"),
            Tile(label="false alarms", value=f"{len(loud):,}", kind="bad" if loud else "good"),
        ),
        sections=(
            Section(
                title="Not quiet",
                blocks=(Findings(head=("seed", "it said"), of=loud),) if loud else (),
                on=EVERYWHERE,
            ),
            Section(title="Runs", blocks=(_table(results),), on=("markdown", "html")),
        ),
        run=results.run,
        suites={"gauntlet": [_case(run) for run in runs]},
    )


def _finding(run: QuietRun) -> Finding:
    said = run.red or run.error or ""
    word = "red" if run.red else "error"
    return Finding(word=word, title=f"seed {run.seed}", reason=said, why=said, cells=(run.seed, said))


def _case(run: QuietRun) -> Case:
    if run.quiet:
        return Case(name=f"seed {run.seed}", seconds=run.seconds)
    finding = _finding(run)
    outcome: Outcome = "failure" if run.red else "error"
    return Case(
        name=f"seed {run.seed}", seconds=run.seconds, outcome=outcome, kind=finding.word, text=block(finding)
    )


def _table(results: FalseAlarmResults) -> Table:
    return Table(
        caption="Every run",
        columns=columns(
            "seed", "status", "it said", "seconds", numbers=("seed", "seconds"), choices=("status",)
        ),
        rows=[
            (
                run.seed,
                Badge("quiet" if run.quiet else _finding(run).word),
                run.red or run.error,
                f"{run.seconds:.1f}",
            )
            for run in results.runs
        ],
    )
