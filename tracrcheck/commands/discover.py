"""`tracrcheck discover` and `faithfulness`: circuits of trained models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tracrcheck.commands.arguments import (
    CircuitFile,
    Json,
    PromptAblation,
    PromptOptions,
    ReportOptions,
    Task,
)
from tracrcheck.commands.base import command, command_line
from tracrcheck.commands.loading import loading
from tracrcheck.error_codes import user_error
from tracrcheck.reports import files
from tracrcheck.reports.render import terminal


@dataclass(frozen=True, kw_only=True)
class CheckpointOptions:
    """Where a long training saves its state. Errors: TC117 (nothing to resume from)."""

    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save the training state to this file, so that it can be resumed."),
    ] = None
    checkpoint_every: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Seconds between two checkpoints.")
    ] = 60.0
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the state in --checkpoint.")] = False

    def __post_init__(self) -> None:
        if self.resume and self.checkpoint is None:
            raise user_error("TC117.resume", where="--resume", got="no --checkpoint", option="--checkpoint")


@command
def discover(
    task: Task,
    options: PromptOptions,
    outputs: ReportOptions,
    saving: CheckpointOptions,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="edge_pruning, acdc, eap, ... or module:callable.")
    ] = "edge_pruning",
    ablation: PromptAblation = "resample",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write circuit.json and circuit.svg to this folder."),
    ] = None,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="Run as one of several torchrun processes (docs/large.md).")
    ] = False,
) -> None:
    """Find the circuit of a trained model on a task, and evaluate it on held-out prompts."""
    from tracrcheck.grading.by_name import find_method
    from tracrcheck.trained import names

    files.check_folder(out)
    names.check_ablation(ablation)
    names.check_task(task)
    with loading():
        chosen = find_method(method)
        from tracrcheck.reports import discovery, faithfulness
        from tracrcheck.reports.context import Context
        from tracrcheck.reports.saved import DiscoveryFile
        from tracrcheck.runs.base import made_now
        from tracrcheck.trained import discover as discovering
        from tracrcheck.trained import prompts as prompt_lists

    checkpoint, seed = saving.checkpoint, options.seed
    state = None
    if checkpoint is not None:
        every = saving.checkpoint_every
        state = discovering.Checkpoint(path=checkpoint, every_seconds=every, resume=saving.resume)
    subject = options.load(task)
    lists = prompt_lists.both_lists(task, subject.tokenizer, n=options.prompts, seed=seed)
    discovering.check_pairs(subject, lists.held_out)
    if min(len(lists.train), len(lists.held_out)) < options.prompts:
        line = f"{task} has fewer pairs: {len(lists.train)} to discover on, {len(lists.held_out)} to judge on"
        typer.echo(f"{line}; what few pairs say is not much", err=True)
    if saving.resume and checkpoint is not None and not checkpoint.exists():
        typer.echo(
            f"there is no {checkpoint} to resume from: the training starts from the beginning", err=True
        )
    title = f"{task} in {subject.name}: {method}, {ablation} ablation, seed {seed}"
    asked = {"task": task, "model": subject.name, "method": method, "ablation": ablation, **options.recorded}
    if distributed:
        from tracrcheck.trained.torchrun import sharing as share
    else:
        share = discovering.alone
    with _resume_hint(checkpoint), share(subject, chosen, state) as run:
        del subject  # where it is shared, nobody holds it whole
        found = discovering.discover(
            run, lists.train, ablation=ablation, seed=seed, started=partial(terminal.show, title)
        )
        if run.first:
            if found.resumed_after is not None:
                typer.echo(f"resumed: {found.resumed_after} steps were taken before", err=True)
            terminal.show(*discovery.found_lines(found))
        matrix = None
        if found.circuit is not None:
            matrix = discovering.judge(
                run.subject, lists.held_out, found.circuit, draws=options.draws, seed=seed
            )
    if not run.first:
        raise typer.Exit(0)
    if found.circuit is not None and matrix is not None:
        terminal.show("", faithfulness.matrix_block(faithfulness.matrix_document(matrix)), matrix.sentence())
    document = discovery.discovery_document(asked, found, matrix)
    files.write_json(outputs.json, document)
    if found.circuit is not None and out is not None:
        picture = discovery.circuit_svg(found.circuit, name=task, title=title)
        texts = {"circuit.json": found.circuit.dumps() + "\n", "circuit.svg": picture}
        files.write_folder(out, texts)
        typer.echo(f"wrote {', '.join(str(out / name) for name in texts)}")
    outputs.write(DiscoveryFile(document=document, run=made_now(command_line())), Context())
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)  # the results are written
    raise typer.Exit(0 if found.circuit is not None else 1)


@contextmanager
def _resume_hint(checkpoint: Path | None) -> Iterator[None]:
    """An interrupted run says whether it can be resumed."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is not None and checkpoint.exists():
            typer.echo(f"{checkpoint} is whole: the same command with --resume continues from it", err=True)
        raise


@dataclass(frozen=True, kw_only=True)
class MatrixOptions(PromptOptions):
    """As for `discover`, with more random circuits: there are no other costs."""

    draws: Annotated[int, typer.Option(min=2, help="Random circuits to compare with.")] = 100


@command
def faithfulness(
    circuit: CircuitFile,
    task: Task,
    options: MatrixOptions,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="kl, recovered, ... or module:callable. Repeatable. By default all of ours."
        ),
    ] = None,
    json: Json = None,
) -> None:
    """Evaluate a circuit of a trained model under every ablation, kept alone and knocked out, by every metric."""
    from tracrcheck.grading.by_name import check_metric
    from tracrcheck.trained import names

    files.check_writable(json)
    names.check_task(task)
    for name in metric or ():
        check_metric(name)
    with loading():
        from tracrcheck.reports import faithfulness as report
        from tracrcheck.trained import discover as discovering
        from tracrcheck.trained import prompts as prompt_lists

    metrics = discovering.metrics_of(metric or ())
    subject = options.load(task)
    given = discovering.circuit_of(circuit, subject)
    pairs = prompt_lists.judging_list(task, subject.tokenizer, n=options.prompts, seed=options.seed)
    matrix = discovering.judge(subject, pairs, given, draws=options.draws, seed=options.seed, metrics=metrics)
    document = report.matrix_document(matrix)
    terminal.show(
        f"{circuit} on {task} in {subject.name}",
        report.matrix_block(document, metrics or ()),
        matrix.sentence(),
    )
    asked: dict[str, Any] = {"circuit": str(circuit), "task": task, "model": subject.name, **options.recorded}
    asked |= {"metrics": metric} if metric else {}
    files.write_json(json, {"schema": report.SCHEMA, "asked": asked, **document})
