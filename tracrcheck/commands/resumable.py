"""Shared by commands that run many units: a run can be interrupted and resumed, and a finished run writes its reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import typer

from tracrcheck.commands.arguments import RunOptions
from tracrcheck.records.journal import Ledger
from tracrcheck.reports import files
from tracrcheck.reports.context import Context
from tracrcheck.reports.document import Document
from tracrcheck.reports.render import terminal
from tracrcheck.runs.base import ResumableRun, finished_there, open_ledger
from tracrcheck.runs.results import RunKind, loaded


@dataclass(frozen=True, kw_only=True)
class Done:
    """results: of the run, or read from the file of a run that was finished before. run: None in the second case."""

    results: Any
    options: RunOptions
    run: Any = None

    def end(self, code: int | None = None, context: Context | None = None) -> NoReturn:
        """Writes the reports and ends the command: with `code` (by default that of the results), 130 if interrupted, not 0 if rows are missing."""
        self.options.write(self.results, context or Context())
        if self.run is not None and self.run.interrupted:
            typer.echo(f"interrupted: these are the {self.run.things} that were finished", err=True)
            raise typer.Exit(130)
        code = self.results.exit_code if code is None else code
        if self.run is not None and self.run.missing:
            typer.echo(f"{self.run.missing} of {self.run.total} {self.run.things} are missing", err=True)
            code = code or 1
        raise typer.Exit(code)


def run_or_read(
    kind: RunKind,
    header: Mapping[str, Any],
    start: Callable[[Ledger | None], ResumableRun[Any, Any]],
    options: RunOptions,
    *,
    document: Callable[[Any], Document],
    line: Callable[[Any], str] | None = None,
) -> Done:
    """Runs what is left and writes the JSON file; with `--resume`, reads the file of a run that is finished.

    start: prepares the run. document: what is printed. line: of each row as it is finished, for standard error.
    """
    path = options.json
    if options.resume and path is not None and finished_there(path, header):
        typer.echo(f"{path} is this run, finished: there is nothing to resume", err=True)
        return Done(results=kind.read(path, loaded(path)), options=options)
    with open_ledger(path, header, resume=options.resume) as ledger:
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
        results = run.results(path)
        terminal.show_document(document(results))
        files.write_json(path, results.document, a_line_each=results.line_each)
        run.written()
    return Done(results=results, options=options, run=run)
