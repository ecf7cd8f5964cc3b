"""`tracrcheck fuzz`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgeprune_core.errors import CheckError
from tracrcheck.commands.arguments import Ablations, Json
from tracrcheck.commands.telling import told


@told
def fuzz(
    programs: Annotated[int, typer.Option(min=1, help="How many programs, beside those rejected.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="edge_pruning, random, ... or module:callable.")
    ] = "edge_pruning",
    ablation: Ablations = None,
    timeout: Annotated[float, typer.Option(help="Seconds a run of the method may take.")] = 1800.0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    json: Json = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished run of --json FILE.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save each failing program there, to be replayed.")
    ] = None,
    number: Annotated[int | None, typer.Option(min=0, help="Only the program of this draw.")] = None,
    replay: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Replay a saved program. Repeatable.")
    ] = None,
) -> None:
    """Run a method on programs that nobody wrote. Exit 1 below the bar, or where a replayed check fails."""
    from tracrcheck import bar, options, regressions
    from tracrcheck import fuzz as fuzzing
    from tracrcheck.examinee import find_method
    from tracrcheck.reports import console, files
    from tracrcheck.reports import fuzz as report

    options.check_timeout(timeout)
    find_method(method)
    if replay:
        found = [(path, regressions.replay(regressions.read(path), timeout=timeout)) for path in replay]
        console.show(*(report.replayed(str(path), done) for path, done in found))
        raise typer.Exit(0 if all(done.passes for _, done in found) else 1)
    plan = fuzzing.Plan(
        seed=seed,
        programs=programs,
        settings=options.settings_of(ablation or ["all"], ["value"], None, False),
        method=method,
        timeout=timeout,
        jobs=jobs,
    )
    if number is not None:
        _one(plan, number, save)
    if resume and json is None:
        raise CheckError(
            "TC117", "nothing to go on with", where="--resume", got="no --json", wanted="--json FILE"
        )
    files.check_writable(json)
    run = fuzzing.Run(plan=plan)
    ledger = None if json is None else fuzzing.Ledger.open(fuzzing.ledger_of(json), run.header, resume=resume)
    try:
        if ledger is not None:
            run.resume(ledger)
        for _ in console.progress(run.draw(), programs, "draw"):
            pass
        for _ in console.progress(run.examine(ledger), programs, "fuzz"):
            pass
    except KeyboardInterrupt:
        run.interrupted = True
    score = bar.score(run)
    console.show(*report.parts(run, score, bar.Bar()))
    for path in regressions.save_failures(run.rows, run.programs, save):
        console.show(f"saved {path}")
    files.write_json(json, report.document(run, score, ["tracrcheck", *sys.argv[1:]], fuzzing.machine()))
    if run.interrupted:
        typer.echo("interrupted: these are the programs that were finished", err=True)
        raise typer.Exit(130)
    if ledger is not None:
        ledger.remove()
    raise typer.Exit(1 if score.short else 0)


def _one(plan, number: int, save: Path | None) -> None:
    """One draw."""
    from tracrcheck import fuzz as fuzzing
    from tracrcheck import regressions
    from tracrcheck.draws import Rejected
    from tracrcheck.reports import console
    from tracrcheck.reports import fuzz as report

    try:
        done = fuzzing.examine(plan.seed, number, plan.settings, method=plan.method, timeout=plan.timeout)
    except Rejected as error:
        raise CheckError("TC153", "the program of this draw is rejected", where=f"--number {number}",
                         got=error.reason, wanted="a draw that is accepted") from error.error  # fmt: skip
    for row in done.rows:
        console.show(report.one(row, plan.seed))
    for path in regressions.save_failures(done.rows, [done.program], save):
        console.show(f"saved {path}")
    raise typer.Exit(0 if all(row.holds for row in done.rows) else 1)
