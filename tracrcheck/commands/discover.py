"""`tracrcheck discover` and `faithfulness`: circuits of trained models."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracrcheck.commands.arguments import Comment, Html, Json, Junit
from tracrcheck.commands.errors import told
from tracrcheck.commands.loading import loading

if TYPE_CHECKING:
    from tracrcheck.grading.run_method import Answer

Task = Annotated[
    str,
    typer.Option(
        "--task",
        metavar="NAME",
        help="ioi, greater_than, gendered_pronoun, boolean_few_shot, boolean_instruction, or a file of pairs.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="DIR",
        help="A folder, a name on the hub (gpt2), or a shipped model (english). By default a shipped one.",
        show_default=False,
    ),
]
Prompts = Annotated[
    int, typer.Option(min=2, help="How many prompts to discover on, and as many to evaluate on.")
]
Draws = Annotated[int, typer.Option(min=2, help="Random circuits to compare with.")]


@told
def discover(
    task: Task,
    model: ModelOption = None,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="edge_pruning, acdc, eap, ... or module:callable.")
    ] = "edge_pruning",
    ablation: Annotated[
        str, typer.Option(help="What a cut edge carries: zero, mean or resample.")
    ] = "resample",
    prompts: Prompts = 200,
    draws: Draws = 20,
    seed: Annotated[int, typer.Option(help="Seed of the prompts, the method and the random circuits.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write circuit.json and circuit.svg to this folder."),
    ] = None,
    json: Json = None,
    html: Html = None,
    junit: Junit = None,
    md: Comment = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save the training state to this file, so that it can be resumed."),
    ] = None,
    checkpoint_every: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Seconds between two checkpoints.")
    ] = 60.0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the state in --checkpoint.")
    ] = False,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="Run as one of several torchrun processes (docs/large.md).")
    ] = False,
) -> None:
    """Find the circuit of a trained model on a task, and evaluate it on held-out prompts."""
    from tracrcheck.reports import files
    from tracrcheck.reports.outputs import Outputs
    from tracrcheck.reports.render import terminal

    outputs = Outputs(json=json, html=html, junit=junit, md=md)
    outputs.check()
    files.check_folder(out)
    with loading():
        from edgeprune_core import trained_models
        from tracrcheck.grading.run_method import find_method
        from tracrcheck.reports import discovery, faithfulness
        from tracrcheck.reports.context import Beside
        from tracrcheck.reports.render.graph import circuit_svg
        from tracrcheck.reports.saved import DiscoveryFile
        from tracrcheck.runs.base import made_now
        from tracrcheck.trained import discover as discovering
        from tracrcheck.trained import fetched
        from tracrcheck.trained import prompts as prompt_lists

    discovering.check_ablation(ablation)
    prompt_lists.check_task(task)
    asked_method = find_method(method)
    keeping = discovering.keeping_of(checkpoint, every_seconds=checkpoint_every, resume=resume)
    subject = fetched.load_model(model or trained_models.trained_on(task))
    lists = prompt_lists.both_lists(task, subject.tokenizer, n=prompts, seed=seed)
    discovering.check_pairs(subject, lists.held_out)
    if min(len(lists.train), len(lists.held_out)) < prompts:
        line = f"{task} has fewer pairs: {len(lists.train)} to discover on, {len(lists.held_out)} to judge on"
        typer.echo(f"{line}; what few pairs say is not much", err=True)
    if resume and checkpoint is not None and not checkpoint.exists():
        typer.echo(f"there is no {checkpoint} to go on from: the training begins anew", err=True)
    title = f"{task} in {subject.name}: {method}, {ablation} ablation, seed {seed}"
    asked: dict[str, Any] = {"task": task, "model": subject.name, "method": method, "ablation": ablation}
    asked |= {"prompts": prompts, "draws": draws, "seed": seed}
    if distributed:
        from tracrcheck.trained.torchrun import sharing as share
    else:
        share = discovering.alone
    with _told_to_resume(checkpoint), share(subject, asked_method, keeping) as run:
        del subject  # where it is shared, nobody holds it whole
        found = discovering.discover(
            run.subject, lists.train, run.method,
            ablation=ablation, seed=seed, keeping=run.keeping, asking=_announced(run.asking, title) if run.first else run.asking,
        )  # fmt: skip
        if run.first:
            if found.resumed_after is not None:
                typer.echo(f"resumed: {found.resumed_after} steps were taken before", err=True)
            terminal.show(*discovery.found_lines(found))
        matrix = None
        if found.circuit is not None:
            matrix = discovering.judge(run.subject, lists.held_out, found.circuit, draws=draws, seed=seed)
    if not run.first:
        raise typer.Exit(0)
    if found.circuit is not None and matrix is not None:
        terminal.show("", faithfulness.matrix_block(faithfulness.matrix_document(matrix)), matrix.sentence())
    document = discovery.discovery_document(asked, found, matrix)
    files.write_json(json, document)
    if found.circuit is not None and out is not None:
        picture = circuit_svg(found.circuit, name=task, title=title)
        texts = {"circuit.json": found.circuit.dumps() + "\n", "circuit.svg": picture}
        files.write_folder(out, texts)
        typer.echo(f"wrote {', '.join(str(out / name) for name in texts)}")
    made = made_now(shlex.join(["tracrcheck", *sys.argv[1:]]))
    outputs.write(DiscoveryFile(document=document, run=made), Beside())
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)  # all is told
    raise typer.Exit(0 if found.circuit is not None else 1)


def _announced(asking: Callable[..., Answer], title: str) -> Callable[..., Answer]:
    """What is looked for is told before what may take long, and after what may be wrong with the call."""

    def told_first(*args: Any, **kwargs: Any) -> Answer:
        from tracrcheck.reports.render import terminal

        terminal.show(title)
        return asking(*args, **kwargs)

    return told_first


@contextmanager
def _told_to_resume(checkpoint: Path | None) -> Iterator[None]:
    """An interrupted run says whether it can be gone on with."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is not None and checkpoint.exists():
            typer.echo(f"{checkpoint} is whole: the same command with --resume goes on from it", err=True)
        raise


@told
def faithfulness(
    circuit: Annotated[
        Path, typer.Argument(metavar="CIRCUIT.json", help="The circuit file. Formats: docs/importers.md.")
    ],
    task: Task,
    model: ModelOption = None,
    prompts: Prompts = 200,
    draws: Draws = 100,
    seed: Annotated[int, typer.Option(help="Seed of the prompts and the random circuits.")] = 0,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="kl, recovered, ... or module:callable. Repeatable. By default all of ours."
        ),
    ] = None,
    json: Json = None,
) -> None:
    """Evaluate a circuit of a trained model under every ablation, kept alone and knocked out, by every metric."""
    from tracrcheck.reports import files
    from tracrcheck.reports.render import terminal

    files.check_writable(json)
    with loading():
        from edgeprune_core import trained_models
        from tracrcheck.reports import faithfulness as report
        from tracrcheck.trained import discover as discovering
        from tracrcheck.trained import fetched
        from tracrcheck.trained import prompts as prompt_lists

    prompt_lists.check_task(task)
    metrics = discovering.metrics_of(metric or ())
    subject = fetched.load_model(model or trained_models.trained_on(task))
    given = discovering.circuit_of(circuit, subject)
    pairs = prompt_lists.judging_list(task, subject.tokenizer, n=prompts, seed=seed)
    matrix = discovering.judge(subject, pairs, given, draws=draws, seed=seed, metrics=metrics)
    document = report.matrix_document(matrix)
    terminal.show(
        f"{circuit} on {task} in {subject.name}",
        report.matrix_block(document, metrics or ()),
        matrix.sentence(),
    )
    asked: dict[str, Any] = {"circuit": str(circuit), "task": task, "model": subject.name}
    asked |= {"prompts": prompts, "draws": draws, "seed": seed}
    asked |= {"metrics": metric} if metric else {}
    files.write_json(json, {"schema": report.SCHEMA, "asked": asked, **document})
