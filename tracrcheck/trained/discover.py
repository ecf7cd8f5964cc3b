"""Runs a method on a trained model, and evaluates circuits on held-out prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgeprune_core.ablations import ABLATIONS
from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.faithfulness import Matrix, faithfulness
from edgeprune_core.graph import LARGE, ResidualGraph
from edgeprune_core.methods import EdgePruning
from edgeprune_core.metrics import METRICS, Metric
from edgeprune_core.task import Task
from edgeprune_core.tasks import Pair
from edgeprune_core.tasks.prompt_task import PromptTask, prompt_task
from edgeprune_core.trained_models import TrainedModel
from edgeprune_core.training.checkpoint import Kept, Resumable, kept, steps
from tracrcheck.error_codes import user_error
from tracrcheck.grading.by_name import find_metric
from tracrcheck.grading.run_method import Answer, ask
from tracrcheck.importers import AUTO, read_file
from tracrcheck.records.sources import sources_of
from tracrcheck.trained.budget import TRIED_PROMPTS, fitted, seconds_each
from tracrcheck.trained.sizes import Size, Tolerance
from tracrcheck.trained.suited import Effort, effort, suited


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Where a long run saves its state, and how often. `resume`: continue from a saved state.

    writes: whether this process writes it, of several.
    """

    path: Path
    every_seconds: float = 60.0
    resume: bool = False
    writes: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """How to run: the model, and on one process or several. first: whether this process prints and writes."""

    subject: TrainedModel
    method: Callable[[Task], Any]
    checkpoint: Checkpoint | None
    asking: Callable[..., Answer] = ask
    first: bool = True


@contextmanager
def alone(
    subject: TrainedModel, method: Callable[[Task], Any], checkpoint: Checkpoint | None
) -> Iterator[Run]:
    """A run in this process alone; `torchrun.sharing` is for several."""
    yield Run(subject=subject, method=method, checkpoint=checkpoint)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A method in the settings that suit the graph, and the size of circuit that is wanted."""

    method: Callable[[Task], Any]
    size: Size
    n_edges: int

    @property
    def effort(self) -> Effort:
        return effort(self.method, self.n_edges)

    def __str__(self) -> str:
        text = f"wanted: {self.size}, of {self.n_edges:,} in the graph"
        if not isinstance(self.method, EdgePruning) or self.n_edges <= LARGE:
            return text
        start, method = self.method.init, self.method
        gates = "sampled gates" if method.annealing is None else "annealed gates"
        ranking = "" if start is None else f", started from {type(start.method).__name__}'s ranking"
        return f"{text}; {method.steps} steps of {gates}{ranking}"


def goal_of(
    subject: TrainedModel, method: Callable[[Task], Any], wanted: Callable[[int], Size], *, cold: bool = False
) -> Goal:
    """wanted: the size, for a graph of so many edges. cold: the gates start open on a large graph too."""
    n = ResidualGraph.of(subject.model.spec).n_edges
    size = wanted(n)
    method = suited(method, n, cold=cold)
    return Goal(method=size.applied_to(method, n), size=size, n_edges=n)


# The method's own way to a size.
OWN_SIZE = Tolerance()
# Wraps an iterator of so many steps, with a label, and shows how far it is.
Progress = Callable[..., Iterable[None]]
# Says, for as long as it is open, that the labelled work goes on.
Waiting = Callable[[str], AbstractContextManager[Any]]
# An evaluation that takes so many seconds is announced.
LONG = 20.0


def _silent(items: Iterator[None], total: int, label: str) -> Iterator[None]:
    return items


@dataclass(frozen=True, kw_only=True)
class Found:
    """A method's answer on a task. `circuit` lacks the `dangling` edges from which no path leads to `out`.

    kl_mean, kl_worst: nats on the training prompts. kl_held_out: the mean on `n_held_out` held-out ones, where some were given.
    None, like `circuit`, if the method returned no circuit.
    resumed_after: steps taken before the run was resumed, else None.
    """

    answer: Answer
    n_edges: int
    n_prompts: int
    circuit: Circuit | None = None
    dangling: int = 0
    kl_mean: float | None = None
    kl_worst: float | None = None
    kl_held_out: float | None = None
    n_held_out: int = 0
    resumed_after: int | None = None


def discover(
    run: Run,
    pairs: Sequence[Pair],
    *,
    ablation: str,
    held_out: Sequence[Pair] = (),
    seed: int = 0,
    size: Size = OWN_SIZE,
    started: Callable[[], None] = lambda: None,
    progress: Progress = _silent,
    waiting: Waiting = lambda label: nullcontext(),
) -> Found:
    """Runs a method on these prompts. Its errors are reported in `answer.fault`.

    held_out: prompts to evaluate the circuit on too. started: called just before the method runs, in the process that prints. progress: wraps its steps there. waiting: is open while
    it works without steps.
    Errors: EP201-EP205, if its state is saved; TC188, if it cannot be cut to the size.
    """
    task = _task(run.subject, pairs).under(ablation)
    watch = partial(progress, total=getattr(run.method, "steps", 0), label="training") if run.first else iter
    seeded = replace(task, seed=seed)
    state = None if run.checkpoint is None else _kept(run.method, seeded, run.checkpoint, watch)
    if run.first:
        started()
    waiting = waiting if run.first else lambda label: nullcontext()
    if isinstance(run.method, Resumable):
        method = _Watched(run.method, watch, waiting) if state is None else state
        answer = run.asking(method, task, seed=seed, timeout=None)
    else:
        with waiting("the method"):
            answer = run.asking(run.method, task, seed=seed, timeout=None)
    if state is not None and state.error is not None:
        raise state.error
    found = Found(
        answer=answer,
        n_edges=task.graph.n_edges,
        n_prompts=len(pairs),
        resumed_after=None if state is None else state.steps_before,
    )
    if answer.fault or answer.circuit is None:
        return found
    chosen = size.cut(task, answer.circuit, answer.scores)
    circuit = chosen.connected()
    off = _deviations(task, circuit)
    others = _task(run.subject, held_out).under(ablation).deviations(circuit) if held_out else None
    return replace(
        found,
        circuit=circuit,
        dangling=len(chosen) - len(circuit),
        kl_mean=float(off.mean()),
        kl_worst=float(off.max()),
        kl_held_out=None if others is None else float(others.mean()),
        n_held_out=len(held_out),
    )


# Items of a long list that are evaluated before the memory of their parts is given back.
TOGETHER = 1000


def _deviations(task: Task, circuit: Circuit) -> Tensor:
    """Of each item. Small results between the parts of a long list would keep their memory in pieces."""
    found = torch.empty(len(task.items), dtype=task.model.dtype)
    for rows in torch.arange(len(found)).split(TOGETHER):
        found[rows] = task.deviations(circuit, task.items[rows])[0].to(found)
    return found


@dataclass(frozen=True)
class _Watched:
    """A training whose steps are shown."""

    method: Resumable
    watch: Callable[[Iterator[None]], Iterable[None]]
    waiting: Waiting

    def __call__(self, task: Task) -> Discovery:
        with self.waiting("the ranking to start from"):
            training = self.method.begin(task)
        for _ in self.watch(steps(training)):
            pass
        return training.discovery()


def _kept(
    method: Callable[[Task], Any],
    task: Task,
    checkpoint: Checkpoint,
    watch: Callable[[Iterator[None]], Iterable[None]],
) -> Kept:
    """The method, which saves its state."""
    sources = {f"sources of {name}": value for name, value in sources_of([], method).items()}
    every, resume = checkpoint.every_seconds, checkpoint.resume
    state = kept(method, task, checkpoint.path, every_seconds=every, resume=resume, depends_on=sources)
    return replace(state, writes=checkpoint.writes, watch=watch)


def judge(
    subject: TrainedModel,
    pairs: Sequence[Pair],
    circuit: Circuit,
    *,
    draws: int,
    seed: int = 0,
    metrics: Sequence[Metric] | None = None,
    minutes: float | None = None,
    tell: Callable[[str], Any] | None = None,
) -> Matrix:
    """The faithfulness matrix of a circuit on these prompts. Errors: EP121 (a circuit of another graph).

    minutes: how long it may take; None: no limit. tell: hears what is evaluated, where that takes long.
    """
    if minutes is not None:
        few = _task(subject, pairs[:TRIED_PROMPTS]).under(next(iter(ABLATIONS)))
        plan = fitted(
            prompts=len(pairs),
            draws=draws,
            ablations=len(ABLATIONS),
            each=seconds_each(few, circuit, metrics=metrics),
            seconds=60 * minutes,
        )
        if tell is not None and (plan.seconds > LONG or not plan.whole):
            tell(plan.sentence())
        pairs, draws = pairs[: plan.prompts], plan.draws
    task = _task(subject, pairs)
    tasks = {name: task.under(name) for name in ABLATIONS}
    return faithfulness(tasks, circuit, metrics=metrics, draws=draws, seed=seed)


@dataclass(frozen=True, kw_only=True)
class _OwnMetric:
    """A callable as a metric; its attributes `name`, `label` and `rescaled` are used where it has them."""

    name: str
    label: str
    rescaled: bool
    measure: Callable[..., Any]

    def __call__(self, task: Task, outputs: Tensor, items: Tensor) -> Tensor:
        return self.measure(task, outputs, items)


def metrics_of(names: Sequence[str]) -> tuple[Metric, ...] | None:
    """Metrics by name or as `module:callable`; None for all of the table. Errors: TC113, TC117."""
    found: dict[str, Metric] = {}
    for name in dict.fromkeys(names):
        metric = find_metric(name)
        if name not in METRICS:
            own = str(getattr(metric, "name", name.rpartition(":")[2]))
            metric = _OwnMetric(
                name=own,
                label=str(getattr(metric, "label", own)),
                rescaled=bool(getattr(metric, "rescaled", False)),
                measure=metric,
            )
        if metric.name in found:
            raise user_error("TC117.two_metrics", where="--metric", got=", ".join(names), name=metric.name)
        found[metric.name] = metric
    return tuple(found.values()) or None


def circuit_of(path: Path, subject: TrainedModel) -> Circuit:
    """A circuit of this model from a file in any importable format. Errors: TC131-TC136."""
    graph = ResidualGraph.of(subject.model.spec)
    imported = read_file(path, graph, format=AUTO, threshold=None)
    return imported.granularity.expand(graph, imported.kept).connected()


def check_pairs(subject: TrainedModel, pairs: Sequence[Pair]) -> None:
    """Checks the prompts before the work starts, not when a circuit is evaluated. Errors: EP182-EP185, EP187."""
    _task(subject, pairs)


def _task(subject: TrainedModel, pairs: Sequence[Pair]) -> PromptTask:
    return prompt_task(subject.name, subject.model, pairs, subject.tokenizer)
