"""`tracrcheck grade`."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tracrcheck.commands.arguments import (
    AllowUnknown,
    CircuitFile,
    Folders,
    Json,
    SettingOptions,
    folder_words,
)
from tracrcheck.commands.base import command, prepared
from tracrcheck.commands.loading import loading
from tracrcheck.error_codes import user_error
from tracrcheck.grading.verdict import Summary, exit_code
from tracrcheck.rasp.library import Library
from tracrcheck.reports import files, text
from tracrcheck.reports.render import terminal

if TYPE_CHECKING:
    from tracrcheck.grading.verdict import Verdict


@command
def grade(
    circuit: CircuitFile,
    program: Annotated[
        str,
        typer.Option(
            "--program",
            "--model",
            metavar="NAME",
            help="A name, a program file, or the folder of a planted GPT-2.",
        ),
    ],
    setting: SettingOptions,
    folder: Folders = None,
    format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="tracrcheck, edge_pruning, edge_pruning_without_embeddings, acdc, autocircuit, eap_ig, autocircuit_hooked, eap_ig_hooked; or auto.",
        ),
    ] = "auto",
    threshold: Annotated[
        float | None, typer.Option(help="For a file of scores: keep edges with at least this score.")
    ] = None,
    rest: Annotated[
        str | None,
        typer.Option(
            metavar="cut",
            help="Edges that a file does not name are cut, where it should name all.",
            show_default=False,
        ),
    ] = None,
    allow_unknown: AllowUnknown = False,
    json: Json = None,
) -> None:
    """Grade a circuit that another tool made, under zero ablation by default."""
    started = time.monotonic()
    if threshold is not None and math.isnan(threshold):
        raise user_error("TC117.threshold", where="--threshold", got=threshold)
    if rest not in (None, "cut"):
        raise user_error("TC117.rest", where="--rest", got=rest)
    files.check_writable(json)
    entry = Library.here(folder or []).load(program)
    settings = setting.settings(["zero"], entries=[entry])
    with loading():
        from tracrcheck.grading import grade_imported
        from tracrcheck.reports import grade as report
        from tracrcheck.reports.gate import verdict_table

    (compiled,) = prepared([entry], settings)
    imported = grade_imported.read_circuit(circuit, compiled, format=format, threshold=threshold, rest=rest)  # type: ignore[arg-type]
    verdicts = grade_imported.verdicts_on(compiled, settings, imported, name=str(circuit))
    terminal.show(*report.mapping_lines(imported), "", verdict_table(verdicts))
    cut = [] if threshold is None else ["--threshold", repr(threshold)]
    cut += [] if rest is None else ["--rest", rest]
    words = ["--format", imported.format, *setting.replay_words, *cut, *folder_words(folder)]
    for verdict in verdicts:
        if verdict.verdict != "HOLDS":
            replay = _replay(verdict, program, words)
            terminal.show("", report.failure_block(verdict, compiled, replay=replay))
    summary = Summary.of(verdicts, time.monotonic() - started)
    terminal.show("", text.summary_line(summary.to_json(), allow_unknown=allow_unknown))
    files.write_json(json, files.judged_document([v.to_json() for v in verdicts], summary))
    raise typer.Exit(exit_code(verdicts, allow_unknown=allow_unknown))


def _replay(verdict: Verdict, program: str, rest: Sequence[str]) -> str:
    words = ["tracrcheck", "grade", verdict.method, "--program", program, "--ablation", verdict.ablation]
    return shlex.join([*words, "--criterion", verdict.criterion, *rest])
