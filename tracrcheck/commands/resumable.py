"""Shared by commands that run many units: a run can be interrupted and resumed, and a finished run writes its reports."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import typer

from tracrcheck.records.journal import Ledger
from tracrcheck.reports import files
from tracrcheck.reports.context import Context
from tracrcheck.reports.outputs import Outputs
from tracrcheck.reports.render import terminal
from tracrcheck.runs.base import ResumableRun, finished_there, open_ledger
from tracrcheck.runs.results import RunKind, loaded


def command_line() -> str:
    """The command as it was called, for the results file."""
    return shlex.join(["tracrcheck", *sys.argv[1:]])


@dataclass(frozen=True, kw_only=True)
class Done:
    """results: of the run, or read from the file of a run that was finished before. run: None in the second case."""

    results: Any
    outputs: Outputs
    run: Any = None

    def end(self, code: int, context: Context | None = None) -> NoReturn:
        """Writes the reports, and ends the command with `code`, or 130 if the run was interrupted."""
        self.outputs.write(self.results, context or Context())
        if self.run is not None and self.run.interrupted:
            typer.echo(f"interrupted: these are the {self.run.things} that were finished", err=True)
            raise typer.Exit(130)
        raise typer.Exit(code)


def run_or_read(
    kind: RunKind,
    header: Mapping[str, Any],
    start: Callable[[Ledger | None], ResumableRun[Any, Any]],
    *,
    outputs: Outputs,
    resume: bool,
    show: Callable[[Any], None],
    line: Callable[[Any], str] | None = None,
) -> Done:
    """Runs what is left and writes the JSON file; with `resume`, reads the file of a run that is finished.

    start: prepares the run. show: prints the results. line: of each row as it is finished, for standard error.
    """
    if resume and finished_there(outputs.json, header):
        typer.echo(f"{outputs.json} is this run, finished: there is nothing to resume", err=True)
        path = outputs.json or Path()
        return Done(results=kind.read(path, loaded(path)), outputs=outputs)
    with open_ledger(outputs.json, header, resume=resume) as ledger:
        run = start(ledger)
        if run.resumed:
            typer.echo(f"resumed: {run.resumed} of {run.total} {run.things} were finished before", err=True)
        try:
            for items, total, label in run.phases():
                for item in terminal.progress(items, total, label):
                    if line is not None:
                        typer.echo(line(item), err=True)
        except KeyboardInterrupt:
            run.interrupted = True
        results = run.results(outputs.json)
        show(results)
        files.write_json(outputs.json, results.document, a_line_each=results.line_each)
        run.written()
    return Done(results=results, outputs=outputs, run=run)
