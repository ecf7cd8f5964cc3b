"""`tracrcheck gate`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tracrcheck.commands.arguments import (
    LARGEST_SEED,
    MOST_SEEDS,
    Ablations,
    ClusterAddress,
    Comment,
    Criterion,
    Folders,
    Html,
    Json,
    Junit,
    Lengths,
    Names,
    ScoreBos,
)
from tracrcheck.commands.errors import stop_at, told

if TYPE_CHECKING:
    from tracrcheck.grading.edge_effects import Evidence
    from tracrcheck.rasp.library import Entry
    from tracrcheck.records.journal import Ledger
    from tracrcheck.runs.base import Run
    from tracrcheck.runs.gate import Plan


@told
def gate(
    program: Names = None,
    folder: Folders = None,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="edge_pruning, random, ... or module:callable.")
    ] = "edge_pruning",
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="quick: zero and resample, one seed; full: zero, mean, resample, 20 seeds; mutants: 12 programs.",
        ),
    ] = None,
    ablation: Ablations = None,
    criterion: Criterion = "value",
    lengths: Lengths = None,
    score_bos: ScoreBos = False,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="The first seed.")] = 0,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_SEEDS, help="How many seeds: 1, or the profile's.", show_default=False),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds a run of the method may take.")] = 1800.0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at work.")] = 1,
    cluster: ClusterAddress = None,
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="UNKNOWN does not fail the gate.")
    ] = False,
    json: Json = None,
    html: Html = None,
    junit: Junit = None,
    md: Comment = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped (with --json).")
    ] = False,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Results of another version, to compare with.")
    ] = None,
    slower: Annotated[
        float, typer.Option(help="With --baseline: so many times slower is a regression.")
    ] = 2.0,
    allow_known: Annotated[
        bool, typer.Option("--allow-known", help="With --baseline: what is wrong there too fails nothing.")
    ] = False,
) -> None:
    """Run a method on programs, and fail where it does not find what is proved."""
    from tracrcheck.commands import options
    from tracrcheck.executors import dask_cluster as clusters
    from tracrcheck.grading.run_method import find_method
    from tracrcheck.grading.verdict import exit_code
    from tracrcheck.rasp.library import Library
    from tracrcheck.reports import files, text
    from tracrcheck.reports.context import Beside, beside_saved
    from tracrcheck.reports.gate import comparison_lines
    from tracrcheck.reports.outputs import Outputs
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs import baseline as comparing
    from tracrcheck.runs import gate as gating
    from tracrcheck.runs import profiles, results
    from tracrcheck.runs.base import finished_there, header_of, open_ledger

    outputs = Outputs(json=json, html=html, junit=junit, md=md)
    outputs.check()
    asked = profiles.chosen(profile, ablation or [], seeds, programs=program or [])
    entries = Library.here(folder or []).chosen(asked.programs or [])
    plan = gating.Plan(
        settings=options.settings_of(asked.ablations, [criterion], lengths, score_bos),
        method=find_method(method),
        method_name=method,
        seeds=tuple(range(seed, seed + asked.seeds)),
        timeout=options.check_timeout(timeout),
        jobs=jobs,
        cluster=clusters.check(cluster, jobs=jobs),
        paths={entry.program.name: entry.path for entry in entries},
    )
    header = header_of(plan, shlex.join(["tracrcheck", *sys.argv[1:]]))
    if resume and finished_there(json, header):
        typer.echo(f"{json} is this run, finished: there is nothing to resume", err=True)
        there = results.read(cast(Path, json))
        outputs.write(there, beside_saved(there, Library.here(folder or []), drawn=html is not None))
        raise typer.Exit(exit_code(there.verdicts, allow_unknown=allow_unknown))
    factor = options.check_factor(slower)
    options.check_known(allow_known, baseline)
    before = comparing.read_baseline(baseline, header["asked"]) if baseline is not None else None
    with open_ledger(json, header, resume=resume) as ledger:
        run = _sitting(entries, plan, header, ledger)
        names = {entry.program.name: entry.asked for entry in entries}
        replay_options = options.replay_words(
            lengths=lengths,
            score_bos=score_bos,
            folders=folder,
            timeout=None if timeout == gating.TIMEOUT else timeout,
        )
        _report(run, allow_unknown, names, replay_options)
        files.write_json(json, files.gate_document(run.verdicts, run.summary, run.record()))
        run.written()
    code, compared = run.exit_code(allow_unknown=allow_unknown), None
    if before is not None:
        compared = comparing.compare(before, run.verdicts, run.record(), factor=factor)
        terminal.show("", *comparison_lines(compared))
        code = compared.exit_code(code, allow_known=allow_known)
    outputs.write(
        results.Results.of(run),
        Beside(
            replay=lambda v: text.replay(v, names[v.program], replay_options),
            evidence=_evidence(run, entries) if html is not None else (),
            compared=compared,
        ),
    )
    raise typer.Exit(code)


def _evidence(run: Run, entries: Sequence[Entry]) -> list[Evidence]:
    """The truths to be drawn."""
    from tracrcheck.grading.edge_effects import of_compiled
    from tracrcheck.reports.render import terminal

    meanings = {entry.program.name: entry.meaning for entry in entries}
    found = of_compiled(run.programs, run.plan.settings, run.verdicts, meanings=meanings)
    return list(terminal.progress(found, len(run.programs) * len(run.plan.settings), "drawing"))


def _sitting(entries: Sequence[Entry], plan: Plan, header: Mapping[str, Any], ledger: Ledger | None) -> Run:
    """The run, done as far as it is not interrupted."""
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs import gate as gating
    from tracrcheck.runs.base import Run

    ready, wrong = gating.prepare(entries, plan.settings)
    stop_at(wrong)
    run = Run(ready, plan, header, ledger)
    if run.resumed:
        typer.echo(f"resumed: {run.resumed} of {run.total} verdicts were finished before", err=True)
    try:
        for _ in terminal.progress(run.go(), run.left, "gate"):
            pass
    except KeyboardInterrupt:
        run.interrupted = True
    return run


def _report(run: Run, allow_unknown: bool, asked: Mapping[str, str], replay_options: Sequence[str]) -> None:
    from tracrcheck.reports import gate as report
    from tracrcheck.reports import text
    from tracrcheck.reports.context import Beside
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs.results import Results

    for error in run.errors:
        terminal.tell(error)
    beside = Beside(replay=lambda v: text.replay(v, asked[v.program], replay_options))
    terminal.show_document(report.document(Results.of(run), beside, allow_unknown=allow_unknown))
    if run.interrupted:
        typer.echo("interrupted: these are the verdicts that were finished", err=True)
