"""`tracrcheck grade`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracrcheck.commands.arguments import Ablations, Criterion, Folders, Json, Lengths, ScoreBos
from tracrcheck.commands.errors import stop_at, told
from tracrcheck.commands.loading import loading

if TYPE_CHECKING:
    from tracrcheck.grading.verdict import Verdict


@told
def grade(
    circuit: Annotated[
        Path, typer.Argument(metavar="CIRCUIT.json", help="The circuit file. Formats: docs/importers.md.")
    ],
    program: Annotated[str, typer.Option("--program", metavar="NAME", help="A name, or a program file.")],
    folder: Folders = None,
    ablation: Ablations = None,
    criterion: Criterion = "value",
    lengths: Lengths = None,
    score_bos: ScoreBos = False,
    format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="tracrcheck, edge_pruning, edge_pruning_without_embeddings, acdc, autocircuit, eap_ig; or auto.",
        ),
    ] = "auto",
    threshold: Annotated[
        float | None, typer.Option(help="For a file of scores: keep edges with at least this score.")
    ] = None,
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="UNKNOWN does not fail the circuit.")
    ] = False,
    json: Json = None,
) -> None:
    """Grade a circuit that another tool made, under zero ablation by default."""
    import time

    from tracrcheck.commands import options
    from tracrcheck.grading.verdict import Summary, exit_code
    from tracrcheck.rasp.library import Library
    from tracrcheck.reports import files, text
    from tracrcheck.reports.render import terminal

    started = time.monotonic()
    options.check_threshold(threshold)
    settings = options.settings_of(ablation or ["zero"], [criterion], lengths, score_bos)
    files.check_writable(json)
    entry = Library.here(folder or []).load(program)
    with loading():
        from tracrcheck.grading import grade_imported
        from tracrcheck.reports import grade as report
        from tracrcheck.reports.gate import verdict_table
        from tracrcheck.truth.program_check import prepare

    ready, wrong = prepare([entry], settings)
    stop_at(wrong)
    imported = grade_imported.read_circuit(circuit, ready[0], format=format, threshold=threshold)
    verdicts = grade_imported.verdicts_on(ready[0], settings, imported, name=str(circuit))
    terminal.show(*report.mapping_lines(imported), "", verdict_table(verdicts))
    rest = options.replay_words(lengths=lengths, score_bos=score_bos, folders=folder, threshold=threshold)
    for verdict in verdicts:
        if verdict.verdict != "HOLDS":
            replay = _replay(verdict, program, [imported.format, *rest])
            terminal.show("", report.failure_block(verdict, ready[0], replay=replay))
    summary = Summary.of(verdicts, time.monotonic() - started)
    terminal.show("", text.summary_line(summary.to_json(), allow_unknown=allow_unknown))
    files.write_json(json, files.judged_document([v.to_json() for v in verdicts], summary))
    raise typer.Exit(exit_code(verdicts, allow_unknown=allow_unknown))


def _replay(verdict: Verdict, program: str, rest: Sequence[str]) -> str:
    words = ["tracrcheck", "grade", verdict.method, "--program", program, "--ablation", verdict.ablation]
    return shlex.join([*words, "--criterion", verdict.criterion, "--format", *rest])
