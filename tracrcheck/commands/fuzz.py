"""`tracrcheck fuzz`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracrcheck.commands.arguments import (
    Ablations,
    MethodOptions,
    ProcessOptions,
    RunOptions,
    refuse_beside,
    seed_option,
    settings_of,
)
from tracrcheck.commands.base import command, command_line
from tracrcheck.commands.loading import loading
from tracrcheck.commands.serving import serve_early
from tracrcheck.error_codes import unknown_name
from tracrcheck.generator.sizes import SIZES
from tracrcheck.reports import files
from tracrcheck.reports.render import terminal

if TYPE_CHECKING:
    from tracrcheck.runs.fuzz import Plan


@command
def fuzz(
    method: MethodOptions,
    process: ProcessOptions,
    run: RunOptions,
    programs: Annotated[
        int, typer.Option(min=1, help="How many programs, not counting rejected ones.")
    ] = 100,
    seed: Annotated[int, seed_option("Seed of the random programs.")] = 0,
    size: Annotated[
        str,
        typer.Option(
            metavar="small|large",
            help="small: up to 4 tokens of a vocabulary of 4. large: up to 12 of 12, numbers and texts mixed in half of the programs.",
        ),
    ] = "small",
    ablation: Ablations = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Save each failing program in this folder, for --replay."),
    ] = None,
    number: Annotated[int | None, typer.Option(min=0, help="Run only the program with this number.")] = None,
    replay: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Replay a saved program. Repeatable.")
    ] = None,
) -> None:
    """Run a method on random programs. Exit 1 below the bar, or if a replayed check fails."""
    if number is not None or replay:
        refuse_beside("--replay" if number is None else "--number", run.given, code="TC117.campaign")
    if size not in SIZES:
        raise unknown_name("TC151", size, SIZES, where="--size")
    files.check_folder(save)
    ablations = tuple(setting.ablation for setting in settings_of(ablation or ["all"]))
    method.check()
    serve_early(method, process, run)  # before anything is known that a method must not see
    with loading():
        from tracrcheck.commands.resumable import run_or_read
        from tracrcheck.reports import fuzz as report
        from tracrcheck.runs import regressions
        from tracrcheck.runs.fuzz import FUZZ, Campaign, Plan
        from tracrcheck.runs.fuzz_program import examinee
        from tracrcheck.runs.fuzz_score import Bar

    how: dict[str, Any] = {"memory_mib": process.memory, "in_process": process.in_process}
    _ = examinee(method.method, **how).many  # a method that cannot be found is reported now
    if replay:
        found = [
            (path, regressions.replay(regressions.read(path), timeout=method.timeout, **how))
            for path in replay
        ]
        terminal.show(*(report.replayed(str(path), done) for path, done in found))
        terminal.show(*report.where_it_ran(in_process=process.in_process))
        raise typer.Exit(0 if all(done.passes for _, done in found) else 1)
    plan = Plan(
        seed=seed,
        programs=programs,
        method=method.method,
        ablations=ablations,
        timeout=method.timeout,
        memory=process.memory,
        in_process=process.in_process,
        size=size,
    )
    workers = run.workers()
    if number is not None:
        _one(plan, number, save)
    header = plan.header(command_line())
    done = run_or_read(
        FUZZ,
        header,
        lambda ledger: Campaign(plan, header, ledger, workers),
        run,
        document=report.document,
    )
    for path in regressions.save_failures(done.results.rows, seed=seed, folder=save, size=size):
        terminal.show(f"saved {path}")
    done.end(int(bool(done.results.score(Bar()).short)))


def _one(plan: Plan, number: int, save: Path | None) -> None:
    """One draw."""
    from tracrcheck.reports import fuzz as report
    from tracrcheck.runs import regressions
    from tracrcheck.runs.fuzz import examined

    rows = examined(plan, number).rows
    for row in rows:
        terminal.show(report.one(row, plan))
    terminal.show(*report.where_it_ran(in_process=plan.in_process))
    for path in regressions.save_failures(rows, seed=plan.seed, folder=save, size=plan.size):
        terminal.show(f"saved {path}")
    raise typer.Exit(0 if all(row.holds for row in rows) else 1)
