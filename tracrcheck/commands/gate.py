"""`tracrcheck gate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tracrcheck.commands.arguments import (
    MOST_SEEDS,
    AllowUnknown,
    BaselineOptions,
    Folders,
    JudgeOptions,
    MethodOptions,
    Names,
    ProcessOptions,
    RunOptions,
    SettingOptions,
    folder_words,
    seed_option,
)
from tracrcheck.commands.base import command, command_line, prepared
from tracrcheck.commands.loading import loading
from tracrcheck.commands.serving import serve_early
from tracrcheck.error_codes import user_error
from tracrcheck.rasp.library import Library
from tracrcheck.reports.render import terminal

if TYPE_CHECKING:
    from tracrcheck.grading.edge_effects import Evidence
    from tracrcheck.grading.verdict import Verdict
    from tracrcheck.rasp.library import Entry
    from tracrcheck.reports.document import Document
    from tracrcheck.runs.gate import Results, Run


@command
def gate(
    method: MethodOptions,
    process: ProcessOptions,
    setting: SettingOptions,
    judge: JudgeOptions,
    run: RunOptions,
    baseline: BaselineOptions,
    program: Names = None,
    folder: Folders = None,
    robust: Annotated[
        bool,
        typer.Option(
            "--robust", help="Judge by the smallest robust circuit: faithful whichever other edges are cut."
        ),
    ] = False,
    halves: Annotated[
        bool,
        typer.Option("--halves", help="Also run the method on two random halves of the inputs."),
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="quick: zero and resample, one seed; full: zero, mean, resample, 20 seeds; mutants: 12 programs.",
        ),
    ] = None,
    seed: Annotated[int, seed_option("The first seed.")] = 0,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="A planted GPT-2 (docs/planted.md), in place of a program.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_SEEDS, help="How many seeds: 1, or the profile's.", show_default=False),
    ] = None,
    allow_unknown: AllowUnknown = False,
    allow_known: Annotated[
        bool,
        typer.Option(
            "--allow-known",
            help="With --baseline: a failure that the baseline has too does not fail the gate.",
        ),
    ] = False,
) -> None:
    """Run a method on programs, and fail if it does not find the proved circuit."""
    from tracrcheck.grading.verdict import exit_code
    from tracrcheck.runs import profiles

    asked = profiles.chosen(profile, setting.ablation or [], seeds, programs=program or [])
    entries = Library.here(folder or []).chosen(
        [*(asked.programs or []), *([] if model is None else [model])]
    )
    if allow_known and baseline.baseline is None:
        raise user_error("TC117.allow_known", where="--allow-known", got="no --baseline")
    chosen = setting.settings(asked.ablations, entries=entries if profile is None else ())
    settings = tuple(replace(one, robust=robust) for one in chosen)
    method.check()
    serve_early(method, process, run)  # before anything is known that a method must not see
    with loading():
        from tracrcheck.commands.resumable import run_or_read
        from tracrcheck.grading.method_process import examinee_of
        from tracrcheck.reports.context import Context, context_of
        from tracrcheck.reports.gate import comparison_lines
        from tracrcheck.runs import baseline as comparing
        from tracrcheck.runs import gate as gating
        from tracrcheck.runs.gate_units import TIMEOUT, Plan

    examinee = examinee_of(method.method, in_process=process.in_process, memory_mib=process.memory)
    plan = Plan(
        settings=settings,
        method=examinee,
        method_name=method.method,
        memory_mib=process.memory,
        in_process=process.in_process,
        seeds=tuple(range(seed, seed + asked.seeds)),
        judge=judge.read(),
        halves=halves,
        timeout=method.timeout,
        workers=run.workers(),
        paths={entry.program.name: entry.path for entry in entries},
    )
    _ = examinee.many  # a method that cannot be found is reported now, not in the middle of the run
    header = plan.header(command_line())
    before = comparing.read_baseline(baseline.baseline, header["asked"]) if baseline.baseline else None
    words = [
        *setting.replay_words,
        *(["--robust"] if robust else []),
        *(["--halves"] if halves else []),
        *judge.replay_words,
        *folder_words(folder),
    ]
    if method.timeout != TIMEOUT:
        words += ["--timeout", f"{method.timeout:g}"]
    words += process.replay_words
    replay = partial(_replay, names={entry.program.name: entry.named_as for entry in entries}, options=words)

    done = run_or_read(
        gating.GATE,
        header,
        lambda ledger: gating.Run(prepared(entries, plan.settings), plan, header, ledger),
        run,
        document=partial(_document, replay=replay, allow_unknown=allow_unknown),
    )
    found, compared = done.results, None
    code = exit_code(found.verdicts, allow_unknown=allow_unknown)
    if before is not None:
        compared = comparing.compare(before, found.verdicts, found.run, factor=baseline.slower)
        terminal.show("", *comparison_lines(compared))
        code = compared.exit_code(code, allow_known=allow_known, allow_unknown=allow_unknown)
    context = Context()
    if run.html is not None and done.run is not None:
        context = Context(evidence=_evidence(done.run, entries))
    elif run.html is not None:
        context = context_of(found, Library.here(folder or []), drawn=True)
    done.end(code, replace(context, replay=replay, compared=compared))


def _replay(verdict: Verdict, *, names: Mapping[str, str], options: Sequence[str]) -> str:
    """The command that gives the verdict again, with the program as it was named on the command line."""
    from tracrcheck.reports import text

    return text.replay(verdict, names[verdict.program], options)


def _evidence(run: Run, entries: Sequence[Entry]) -> list[Evidence]:
    """The required circuits to draw."""
    from tracrcheck.grading.edge_effects import of_compiled

    meanings = {entry.program.name: entry.meaning for entry in entries}
    found = of_compiled(run.programs, run.plan.settings, run.verdicts, meanings=meanings)
    return list(terminal.progress(found, len(run.programs) * len(run.plan.settings), "drawing"))


def _document(found: Results, *, replay: Callable[[Verdict], str], allow_unknown: bool) -> Document:
    """What is printed. Answers that cannot be read as edges of the program are shown as errors first: the call was wrong."""
    from tracrcheck.reports import gate as report
    from tracrcheck.reports.context import Context
    from tracrcheck.runs.gate import wrong_calls

    for error in wrong_calls(found.verdicts):
        terminal.show_error(error)
    return report.document(found, Context(replay=replay), allow_unknown=allow_unknown)
