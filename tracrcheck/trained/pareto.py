"""Edges against divergence: the trade-off that each method offers, measured on held-out prompts.

A method is swept to get candidate circuits of many sizes on the training prompts. Its Pareto frontier is kept: circuits
that no smaller circuit beats there. The frontier is then measured on held-out prompts; at a level of divergence, the
method's result is the smallest of its circuits that meets the level. So no setting is chosen on the prompts that judge
it.

The same rules apply to all methods: dangling edges are removed (`Circuit.connected`) before edges are counted, and the
divergence is KL(model || circuit) at the scored position, in nats, averaged over prompts. The model runs with its norms
folded into its weights (`fold_norms.py`), which does not change its outputs.

A method that has a `sweep` is swept by it: `edge_pruning` in one training whose price per edge rises, `acdc` over a
series of thresholds. The ranking of any other method is cut at 60 sizes in geometric steps, and a method that gives no
scores contributes its one circuit. CPR and CMD (`mib.py`) are of the ranking, or of the circuits of the sweep.

Each curve is made in a process of its own, so that the memory it reports is its own.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.fold_norms import folded
from edgeprune_core.methods.base import Candidate, Swept
from edgeprune_core.methods.top_edges import top_edges
from edgeprune_core.task import Task
from edgeprune_core.tasks.prompt_task import prompt_task
from edgeprune_core.trained_models import TrainedModel
from edgeprune_core.training.prices import geometric
from tracrcheck.error_codes import user_error
from tracrcheck.executors.worker import Died, Worker
from tracrcheck.grading.by_name import find_method
from tracrcheck.grading.run_method import read_answer
from tracrcheck.processes.process import TookTooLong
from tracrcheck.trained import fetched, mib
from tracrcheck.trained.compute import placed
from tracrcheck.trained.curve import Curve, Point
from tracrcheck.trained.leading import leads_of
from tracrcheck.trained.prompts import PromptLists, both_lists
from tracrcheck.trained.suited import suited

# How many sizes a ranking is cut at, before equal ones are merged.
SIZES = 60
# Circuits run at once.
AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a sweep gives. scores: of the method's ranking, if it has one, larger is kept longer."""

    candidates: Sequence[Candidate]
    scores: Tensor | None = None


Sweep = Callable[[Task], Found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One curve. model: as in `--model`. prompts: per list, drawn with the seed, which is the method's too.
    only_right: those on which the model leads with an answer. device: cpu or cuda.

    timeout: seconds that its process may take. memory: MiB that it may allocate.
    """

    task: str
    model: str
    ablation: str
    method: str
    seed: int
    prompts: int
    only_right: bool = False
    device: str = "cpu"
    timeout: float | None = None
    memory: int | None = None

    def subject(self) -> TrainedModel:
        """The model, where it runs. Errors: those of `load_model`, and TC117."""
        return placed(fetched.load_model(self.model), device=self.device, dtype="float32")

    def prompt_lists(self, subject: TrainedModel) -> PromptLists:
        """Errors: those of `both_lists`."""
        leads = leads_of(subject) if self.only_right else None
        return both_lists(self.task, subject.tokenizer, n=self.prompts, seed=self.seed, leads=leads)


def sweep_of(name: str, n_edges: int = 0) -> Sweep:
    """n_edges: of the graph that the method is to suit. Errors: TC113."""
    method = suited(find_method(name, where="--methods"), n_edges)
    if isinstance(method, Swept):
        return lambda task: Found(candidates=list(method.sweep(task)))
    return _ranked(method)


def curve(job: Job) -> Curve:
    """Here, in this process. Errors: those of the task's lists, TC113 and TC187."""
    train, held_out = tasks_of(job)
    sweep = sweep_of(job.method, train.graph.n_edges)
    started = time.monotonic()
    swept = sweep(train)
    found = [(setting, circuit.connected()) for setting, circuit in swept.candidates]
    seconds, peak = time.monotonic() - started, peak_mib()
    distinct = list({circuit: (setting, circuit) for setting, circuit in reversed(found)}.values())
    chosen = _frontier(distinct, mean_kl(train, [circuit for _, circuit in distinct]))
    judged = mean_kl(held_out, [circuit for _, circuit, _ in chosen])
    points = tuple(
        Point(setting=setting, n_edges=len(circuit), train_kl=kl, held_out_kl=there)
        for (setting, circuit, kl), there in zip(chosen, judged, strict=True)
    )
    return Curve(
        method=job.method, seed=job.seed, candidates=len(found), seconds=round(seconds, 2),
        peak_mib=round(peak), points=points, mib=_mib(held_out, swept.scores, [circuit for _, circuit in distinct]),
    )  # fmt: skip


def _mib(task: Task, scores: Tensor | None, circuits: Sequence[Circuit]) -> mib.Curve:
    if scores is None:
        return mib.curve_of_circuits(task, circuits)
    ranks = (
        scores.argsort(stable=True).argsort() + 1
    )  # positive, so that the sign of a score is kept in its rank
    by_edge = zip(task.graph.edges, ranks.tolist(), strict=True)
    return mib.curve(task, {edge: rank for edge, rank in by_edge if edge.writer.kind != "pos"})


def curve_elsewhere(job: Job) -> Curve:
    """In a new process. An error there becomes the curve's `fault`."""
    started, worker = time.monotonic(), Worker(threads=1, memory_mib=job.memory)
    try:
        return worker.run(curve, job, seconds=job.timeout)
    except CheckError as error:
        why = " ".join(str(error).split())
    except TookTooLong:
        why = f"timeout: no curve within {job.timeout:g} s"
    except Died as death:
        why = f"the process died: {death}"
    except Exception as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        worker.end()
    return failed(job, why, time.monotonic() - started)


def failed(job: Job, why: str, seconds: float = 0.0) -> Curve:
    return Curve(
        method=job.method, seed=job.seed, candidates=0, seconds=round(seconds, 2), peak_mib=0, points=(),
        fault=why,
    )  # fmt: skip


def tasks_of(job: Job) -> tuple[Task, Task]:
    """The same task on training and on held-out prompts."""
    subject = job.subject()
    lists = job.prompt_lists(subject)
    model = folded(subject.model)
    train, held_out = (
        prompt_task(job.task, model, pairs, subject.tokenizer).under(job.ablation)
        for pairs in (lists.train, lists.held_out)
    )
    return replace(train, seed=job.seed), held_out


def mean_kl(task: Task, circuits: Sequence[Circuit]) -> list[float]:
    found: list[float] = []
    for first in range(0, len(circuits), AT_ONCE):
        found += task.deviations(list(circuits[first : first + AT_ONCE])).mean(1).tolist()
    return found


def _frontier(candidates: Sequence[Candidate], kls: Sequence[float]) -> list[tuple[str, Circuit, float]]:
    """The Pareto frontier, fewest edges first: each circuit has a lower divergence than all before it."""
    rows = [(setting, circuit, kl) for (setting, circuit), kl in zip(candidates, kls, strict=True)]
    best, chosen = math.inf, []
    for row in sorted(rows, key=lambda r: (len(r[1]), r[2], r[0])):
        if row[2] < best:
            best = row[2]
            chosen.append(row)
    return chosen


def _ranked(method: Callable[[Task], Any]) -> Sweep:
    def sweep(task: Task) -> Found:
        answer = read_answer(method(task), task.graph)
        if answer.circuit is None or answer.fault:
            raise user_error("TC187", where="--methods", got=answer.detail)
        if answer.scores is None:
            return Found(candidates=[("its circuit", answer.circuit)])
        sizes = sorted({round(x) for x in geometric(1, task.graph.n_edges, SIZES)})
        cut = [(f"top {n}", top_edges(task, answer.scores, n)) for n in sizes]
        return Found(candidates=cut, scores=answer.scores)

    return sweep


def peak_mib() -> float:
    """This process's peak memory; without Linux's own record, it can include that of the parent process."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
