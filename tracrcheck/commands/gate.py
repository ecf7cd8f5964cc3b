"""`tracrcheck gate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracrcheck.commands.arguments import Ablations, Criterion, Folders, Json, Lengths, Names, ScoreBos
from tracrcheck.commands.telling import stop_at, told

if TYPE_CHECKING:
    from tracrcheck.gate import Run


@told
def gate(
    program: Names = None,
    folder: Folders = None,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="edge_pruning, random, ... or module:callable.")
    ] = "edge_pruning",
    ablation: Ablations = None,
    criterion: Criterion = "value",
    lengths: Lengths = None,
    score_bos: ScoreBos = False,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 1,
    timeout: Annotated[float, typer.Option(help="Seconds a run of the method may take.")] = 1800.0,
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="UNKNOWN does not fail the gate.")
    ] = False,
    json: Json = None,
) -> None:
    """Run a method on programs, and fail where it does not find what is proved."""
    from tracrcheck import gate as gating
    from tracrcheck import options
    from tracrcheck.examinee import find_method
    from tracrcheck.library import Library
    from tracrcheck.reports import console, files

    files.check_writable(json)
    settings = options.settings_of(ablation or ["all"], [criterion], lengths, score_bos)
    plan = gating.Plan(
        settings=settings,
        method=find_method(method),
        method_name=method,
        seeds=tuple(range(seed, seed + seeds)),
        timeout=options.check_timeout(timeout),
    )
    entries = Library.here(folder or []).chosen(program or [])
    ready, wrong = gating.prepare(entries, settings)
    stop_at(wrong)
    run = gating.Run()
    try:
        for verdict in console.progress(gating.gate(ready, plan), len(ready) * plan.runs_per_program, "gate"):
            run.add(verdict)
    except KeyboardInterrupt:
        run.interrupted = True
    asked = {entry.program.name: entry.asked for entry in entries}
    _report(run, allow_unknown, asked, _replay_options(lengths, score_bos, folder))
    files.write_json(json, files.gate_document(run.verdicts, run.summary))
    raise typer.Exit(run.exit_code(allow_unknown=allow_unknown))


def _replay_options(lengths: str | None, score_bos: bool, folders: Sequence[Path] | None) -> list[str]:
    words = ["--lengths", lengths] if lengths else []
    words += ["--score-bos"] if score_bos else []
    return words + [word for f in folders or [] for word in ("--programs-dir", str(f))]


def _report(run: Run, allow_unknown: bool, asked: Mapping[str, str], replay_options: Sequence[str]) -> None:
    from tracrcheck.reports import console, text

    for error in run.errors:
        console.tell(error)
    console.show(text.verdict_table(run.verdicts))
    for verdict in run.verdicts:
        if verdict.verdict != "HOLDS":
            console.show("", text.verdict_block(verdict, asked[verdict.program], replay_options))
    console.show("", text.summary_line(run.summary, allow_unknown=allow_unknown))
    if run.interrupted:
        typer.echo("interrupted: these are the verdicts that were finished", err=True)
