"""`tracrcheck discover` and `faithfulness`: circuits of trained models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from tracrcheck.commands.computing import ComputeOptions, EvaluationOptions
from tracrcheck.commands.loading import loading
from tracrcheck.error_codes import user_error
from tracrcheck.reports import files
from tracrcheck.reports.render import terminal

if TYPE_CHECKING:
    from edgeprune_core.circuit import Circuit
    from tracrcheck.trained.sizes import Size


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


@dataclass(frozen=True, kw_only=True)
class SizeOptions:
    """How large a circuit is wanted: at most one of them."""

    edges: Annotated[
        int | None, typer.Option(metavar="N", help="Keep the N best edges.", show_default=False)
    ] = None
    sparsity: Annotated[
        float | None,
        typer.Option(metavar="S", help="Cut this share of the edges. By default 0.95 on a large graph."),
    ] = None
    kl: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="Keep the fewest edges whose mean KL on the training prompts is at most X nats."
        ),
    ] = None
    tolerance: Annotated[
        bool,
        typer.Option(
            "--tolerance",
            help="Keep the fewest edges with every training prompt within 0.1 nats. The default on a small graph.",
        ),
    ] = False

    def wanted(self, n_edges: int) -> Size:
        """n_edges: of the graph. Errors: TC117."""
        from tracrcheck.trained.sizes import size_of

        return size_of(
            edges=self.edges, sparsity=self.sparsity, kl=self.kl, tolerance=self.tolerance, n_edges=n_edges
        )


@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """A method and its settings."""

    method: Annotated[
        str, typer.Option(metavar="NAME", help="edge_pruning, acdc, eap, ... or module:callable.")
    ] = "edge_pruning"
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A setting of the method (docs/trained.md). Repeatable."
        ),
    ] = None
    steps: Annotated[int | None, typer.Option(min=1, help="The method's steps.", show_default=False)] = None
    circuits: Annotated[
        int | None, typer.Option(min=1, help="Circuits sampled in each step.", show_default=False)
    ] = None
    batch: Annotated[
        int | None, typer.Option(min=1, help="New prompts in each step.", show_default=False)
    ] = None
    learning_rate: Annotated[
        float | None, typer.Option(min=0, help="The optimiser's learning rate.", show_default=False)
    ] = None
    init: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD|none",
            help="Start the gates of edge pruning from this method's ranking. By default eap_ig on a large graph.",
            show_default=False,
        ),
    ] = None

    def chosen(self) -> Callable[..., Any]:
        """The method in these settings. Errors: TC113, TC117."""
        from tracrcheck.grading.by_name import find_method

        found: Any = find_method(self.method)  # a wrong name is refused before torch is loaded
        from tracrcheck.trained.method_settings import started_from, with_settings

        named: dict[str, Any] = {"steps": self.steps, "circuits": self.circuits, "fresh": self.batch}
        named |= {"learning_rate": self.learning_rate}
        options = {"fresh": "--batch"}
        for name, value in named.items():
            if value is not None:
                option = options.get(name, "--" + name.replace("_", "-"))
                found = with_settings(found, [f"{name}={value}"], where=option)
        return started_from(with_settings(found, self.setting or ()), self.init)

    @property
    def recorded(self) -> dict[str, Any]:
        """For `asked` of the results file: the settings that were given."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "method"}
        return {name: value for name, value in given.items() if value is not None}


@command
def discover(
    task: Task,
    options: PromptOptions,
    outputs: ReportOptions,
    saving: CheckpointOptions,
    size: SizeOptions,
    how: MethodOptions,
    computing: ComputeOptions,
    evaluating: EvaluationOptions,
    ablation: PromptAblation = "resample",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write circuit.json and circuit.svg to this folder."),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Print every edge.")] = False,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="Run as one of several torchrun processes (docs/large.md).")
    ] = False,
) -> None:
    """Find the circuit of a trained model on a task, and evaluate it on held-out prompts."""
    from tracrcheck.trained import names

    files.check_folder(out)
    names.check_ablation(ablation)
    names.check_task(task)
    with loading():
        chosen = how.chosen()
        from tracrcheck.reports import discovery, faithfulness
        from tracrcheck.reports.context import Context
        from tracrcheck.reports.saved import DiscoveryFile
        from tracrcheck.runs.base import made_now
        from tracrcheck.trained import discover as discovering
        from tracrcheck.trained import prompts as prompt_lists

    made = made_now(command_line())
    checkpoint, seed = saving.checkpoint, options.seed
    state = None
    if checkpoint is not None:
        every = saving.checkpoint_every
        state = discovering.Checkpoint(path=checkpoint, every_seconds=every, resume=saving.resume)
    subject = computing.placed(options.load(task))
    goal = discovering.goal_of(subject, chosen, size.wanted, cold=how.init == "none")
    effort = goal.effort.chosen(prompts=options.prompts, minutes=evaluating.minutes)
    lists = prompt_lists.both_lists(
        task, subject.tokenizer, n=effort.prompts, seed=seed, leads=options.leads(subject)
    )
    if options.only_right:
        typer.echo(lists.sentence(), err=True)
    discovering.check_pairs(subject, lists.held_out)
    if min(len(lists.train), len(lists.held_out)) < effort.prompts:
        line = f"{task} has fewer pairs: {len(lists.train)} to discover on, {len(lists.held_out)} to judge on"
        typer.echo(f"{line}; what few pairs say is not much", err=True)
    if saving.resume and checkpoint is not None and not checkpoint.exists():
        typer.echo(
            f"there is no {checkpoint} to resume from: the training starts from the beginning", err=True
        )
    title = f"{task} in {subject.name}: {how.method}, {ablation} ablation, seed {seed}; {goal}; {effort}"
    asked: dict[str, Any] = {"task": task, "model": subject.name, "method": how.method, "ablation": ablation}
    asked |= {**options.recorded(effort.prompts), "size": str(goal.size), **how.recorded}
    asked |= {"drawn": list(lists.drawn)} if options.only_right else {}
    if distributed:
        from tracrcheck.trained.torchrun import sharing as share
    else:
        share = discovering.alone
    with _resume_hint(checkpoint), share(subject, goal.method, state) as run:
        del subject  # where it is shared, nobody holds it whole
        found = discovering.discover(
            run,
            lists.train,
            ablation=ablation,
            held_out=lists.held_out[: effort.judged],
            seed=seed,
            size=goal.size,
            started=partial(terminal.show, title),
            progress=terminal.progress,
            waiting=terminal.still_running,
        )
        matrix = None
        if run.first:
            if found.resumed_after is not None:
                typer.echo(f"resumed: {found.resumed_after} steps were taken before", err=True)
            terminal.show(*discovery.found_lines(found, listed=listed))
            if found.circuit is not None:  # the evaluation may take long, and may be interrupted
                if out is not None:
                    _write_circuit(out, found.circuit, name=task, title=title)
                if outputs.json is not None:
                    files.write_json(outputs.json, discovery.discovery_document(asked, found, None, made))
        if found.circuit is not None:
            with terminal.still_running("the evaluation") if run.first else nullcontext():
                matrix = discovering.judge(
                    run.subject,
                    lists.held_out,
                    found.circuit,
                    draws=options.draws,
                    seed=seed,
                    minutes=effort.minutes(found.answer.seconds),
                    tell=partial(typer.echo, err=True) if run.first else None,
                )
    if not run.first:
        raise typer.Exit(0)
    if found.circuit is not None and matrix is not None:
        terminal.show("", faithfulness.matrix_block(faithfulness.matrix_document(matrix)), matrix.sentence())
    document = discovery.discovery_document(asked, found, matrix, made)
    files.write_json(outputs.json, document)
    outputs.write(DiscoveryFile(document=document, run=made), Context())
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)  # the results are written
    raise typer.Exit(0 if found.circuit is not None else 1)


def _write_circuit(folder: Path, circuit: Circuit, *, name: str, title: str) -> None:
    from tracrcheck.reports import discovery

    texts = {
        "circuit.json": circuit.dumps() + "\n",
        "circuit.svg": discovery.circuit_svg(circuit, name=name, title=title),
    }
    files.write_folder(folder, texts)
    typer.echo(f"wrote {', '.join(str(folder / name) for name in texts)}")


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
    evaluating: EvaluationOptions,
    computing: ComputeOptions,
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
        from tracrcheck.trained import mib
        from tracrcheck.trained import prompts as prompt_lists
        from tracrcheck.trained.suited import Effort

    metrics = discovering.metrics_of(metric or ())
    subject = computing.placed(options.load(task))
    given = discovering.circuit_of(circuit, subject)
    effort = Effort().chosen(prompts=options.prompts, minutes=evaluating.minutes)
    drawn = prompt_lists.judging_list(
        task, subject.tokenizer, n=effort.prompts, seed=options.seed, leads=options.leads(subject)
    )
    if options.only_right:
        typer.echo(drawn.sentence(), err=True)
    with terminal.still_running("faithfulness"):
        matrix = discovering.judge(
            subject, drawn.pairs, given, draws=options.draws, seed=options.seed, metrics=metrics,
            minutes=effort.at_most, tell=partial(typer.echo, err=True),
        )  # fmt: skip
    document = report.matrix_document(matrix)
    scored = mib.curve_of(circuit, subject, drawn.pairs)
    if scored is not None:
        document["mib"] = scored.to_json()
    terminal.show(
        f"{circuit} on {task} in {subject.name}",
        report.matrix_block(document, metrics or ()),
        matrix.sentence(),
        *([] if scored is None else [scored.sentence()]),
    )
    asked: dict[str, Any] = {"circuit": str(circuit), "task": task, "model": subject.name}
    asked |= options.recorded(effort.prompts)
    asked |= {"metrics": metric} if metric else {}
    files.write_json(json, {"schema": report.SCHEMA, "asked": asked, **document})
