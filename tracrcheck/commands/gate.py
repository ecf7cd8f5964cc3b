"""`tracrcheck gate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    Memory,
    Names,
    ScoreBos,
)
from tracrcheck.commands.errors import stop_at, told
from tracrcheck.commands.loading import loading

if TYPE_CHECKING:
    from tracrcheck.grading.edge_effects import Evidence
    from tracrcheck.grading.verdict import Verdict
    from tracrcheck.rasp.library import Entry
    from tracrcheck.records.journal import Ledger
    from tracrcheck.runs.gate import Results, Run


@told
def gate(
    program: Names = None,
    folder: Folders = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="edge_pruning_score_function, acdc, random, ... or module:callable."
        ),
    ] = "edge_pruning_score_function",
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
    timeout: Annotated[float, typer.Option(help="Seconds that one run of the method may take.")] = 1800.0,
    memory: Memory = None,
    in_process: Annotated[
        bool,
        typer.Option(
            "--in-process", help="For debugging: run the method in this process, where it can cheat."
        ),
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
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
        float, typer.Option(help="With --baseline: how many times slower counts as a regression.")
    ] = 2.0,
    allow_known: Annotated[
        bool,
        typer.Option(
            "--allow-known",
            help="With --baseline: failures that are in the baseline too do not fail the gate.",
        ),
    ] = False,
) -> None:
    """Run a method on programs, and fail if it does not find the proved circuit."""
    from tracrcheck.commands import options
    from tracrcheck.executors import dask_cluster as clusters
    from tracrcheck.grading.verdict import exit_code
    from tracrcheck.processes.process import server as start_server
    from tracrcheck.rasp.library import Library
    from tracrcheck.reports.outputs import Outputs
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs import profiles

    outputs = Outputs(json=json, html=html, junit=junit, md=md)
    outputs.check()
    asked = profiles.chosen(profile, ablation or [], seeds, programs=program or [])
    entries = Library.here(folder or []).chosen(asked.programs or [])
    options.parse_lengths(lengths)
    options.check_timeout(timeout)
    factor = options.check_factor(slower)
    options.check_known(allow_known, baseline)
    if not in_process and (":" in method or (jobs == 1 and cluster is None)):
        start_server()  # while we load
    with loading():
        from tracrcheck.commands.resumable import command_line, run_or_read
        from tracrcheck.grading.method_process import examinee_of
        from tracrcheck.reports.context import Beside, beside_saved
        from tracrcheck.reports.gate import comparison_lines
        from tracrcheck.runs import baseline as comparing
        from tracrcheck.runs import gate as gating
        from tracrcheck.runs.gate_units import TIMEOUT, Plan
        from tracrcheck.truth.program_check import prepare

    examinee = examinee_of(method, in_process=in_process, memory_mib=memory)
    plan = Plan(
        settings=options.settings_of(asked.ablations, [criterion], lengths, score_bos),
        method=examinee,
        method_name=method,
        memory_mib=memory,
        in_process=in_process,
        seeds=tuple(range(seed, seed + asked.seeds)),
        timeout=timeout,
        jobs=jobs,
        cluster=clusters.check(cluster, jobs=jobs),
        paths={entry.program.name: entry.path for entry in entries},
    )
    header = plan.header(command_line())
    _ = examinee.many  # TC113 now, not in the middle of the run
    before = comparing.read_baseline(baseline, header["asked"]) if baseline is not None else None
    names = {entry.program.name: entry.asked for entry in entries}
    replay_options = options.replay_words(
        lengths=lengths,
        score_bos=score_bos,
        folders=folder,
        timeout=None if timeout == TIMEOUT else timeout,
        memory=memory,
        in_process=in_process,
    )

    replay = partial(_replay, names=names, options=replay_options)

    def start(ledger: Ledger | None) -> gating.Run:
        ready, wrong = prepare(entries, plan.settings)
        stop_at(wrong)
        return gating.Run(ready, plan, header, ledger)

    done = run_or_read(
        gating.GATE,
        header,
        start,
        outputs=outputs,
        resume=resume,
        show=lambda results: _report(results, replay, allow_unknown),
    )
    found, compared = done.results, None
    code = exit_code(found.verdicts, allow_unknown=allow_unknown)
    if before is not None:
        compared = comparing.compare(before, found.verdicts, found.run, factor=factor)
        terminal.show("", *comparison_lines(compared))
        code = compared.exit_code(code, allow_known=allow_known)
    beside = Beside()
    if html is not None and done.run is not None:
        beside = Beside(evidence=_evidence(done.run, entries))
    elif html is not None:
        beside = beside_saved(found, Library.here(folder or []), drawn=True)
    done.end(code, replace(beside, replay=replay, compared=compared))


def _replay(verdict: Verdict, *, names: Mapping[str, str], options: Sequence[str]) -> str:
    """The command that gives the verdict again, with the program as it was named on the command line."""
    from tracrcheck.reports import text

    return text.replay(verdict, names[verdict.program], options)


def _evidence(run: Run, entries: Sequence[Entry]) -> list[Evidence]:
    """The required circuits to draw."""
    from tracrcheck.grading.edge_effects import of_compiled
    from tracrcheck.reports.render import terminal

    meanings = {entry.program.name: entry.meaning for entry in entries}
    found = of_compiled(run.programs, run.plan.settings, run.verdicts, meanings=meanings)
    return list(terminal.progress(found, len(run.programs) * len(run.plan.settings), "drawing"))


def _report(found: Results, replay: Callable[[Verdict], str], allow_unknown: bool) -> None:
    from tracrcheck.reports import gate as report
    from tracrcheck.reports.context import Beside
    from tracrcheck.reports.render import terminal
    from tracrcheck.runs.gate import foreign_edges

    for error in foreign_edges(found.verdicts):
        terminal.tell(error)
    terminal.show_document(report.document(found, Beside(replay=replay), allow_unknown=allow_unknown))
