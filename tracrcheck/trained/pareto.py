"""Edges against divergence: what each method can trade, on prompts that chose nothing.

A method is swept: it gives candidates of many sizes on the training prompts. Those are kept than which no smaller one has
a lower divergence *there*: its frontier. The frontier is then measured on held-out prompts, and at a level of
divergence the method needs the fewest edges of a circuit on it that meets the level there. So no setting is chosen by
the prompts that judge it.

One rule for all: circuits without dangling edges (`Circuit.connected`), their edges counted after that; the divergence
is KL(model || circuit) at the scored position, in nats, its mean over prompts. The model is run with its norms folded
into its weights (`folding.py`), which changes no output.

    edge_pruning    `rising_price`: 28 prices, each ranking cut near where its gates close
    acdc            a circuit a threshold tau, 20 of them in geometric steps
    rankings        (eap, eap_ig, ..., a callable with scores): cut at 60 sizes in geometric steps

Each curve is made in a process of its own, so that the memory it reports is its own.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeprune_core import trained_models
from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.fold_norms import folded
from edgeprune_core.methods import METHODS, Acdc
from edgeprune_core.methods.penalty_sweep import RisingPrice
from edgeprune_core.methods.top_edges import top_edges
from edgeprune_core.task import Task
from edgeprune_core.tasks.prompt_task import prompt_task
from tracrcheck.error_codes import unknown_name, user_error
from tracrcheck.executors.worker import Died, Worker
from tracrcheck.grading.run_method import find_method
from tracrcheck.trained import prompts as prompt_lists
from tracrcheck.trained.curve import Curve, Point

# Sizes that a ranking is cut at; and of a ranking by gates, as parts of how many are open.
SIZES = 60
NEAR_OPEN = (0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3)
# ACDC's thresholds, in nats: from where hardly anything stays to where hardly anything goes.
TAUS, N_TAUS = (0.1, 1e-6), 20
# Circuits run at once.
AT_ONCE = 16
SWEPT = ("edge_pruning", "acdc", "eap", "eap_ig", "eap_ig_activations", "exact", "random")

Candidate = tuple[str, Circuit]
Sweep = Callable[[Task], Iterator[Candidate]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One curve. model: as `--model` names it. prompts: of each list, which the seed draws; it is the method's too."""

    task: str
    model: str
    ablation: str
    method: str
    seed: int
    prompts: int


def sweep_of(name: str) -> Sweep:
    """Errors: TC186 (no such method), and those of `find_method`."""
    if name == "edge_pruning":
        return _by_price
    if name == "acdc":
        return _by_tau
    if ":" in name:
        return _ranked(find_method(name))
    if name in SWEPT:
        return _ranked(METHODS[name])
    raise unknown_name(
        "TC186", name, SWEPT, where="--methods", wanted=f"{', '.join(SWEPT)}, or module:callable with scores"
    )


def curve(job: Job) -> Curve:
    """Here, in this process. Errors: as of the task's lists, TC186 and TC187."""
    sweep = sweep_of(job.method)
    train, held_out = tasks_of(job)
    started = time.monotonic()
    found = list(sweep(train))
    seconds, peak = time.monotonic() - started, _peak_mib()
    distinct = list({circuit: (setting, circuit) for setting, circuit in reversed(found)}.values())
    chosen = _frontier(distinct, mean_kl(train, [circuit for _, circuit in distinct]))
    judged = mean_kl(held_out, [circuit for _, circuit, _ in chosen])
    points = tuple(
        Point(setting=setting, n_edges=len(circuit), train_kl=kl, held_out_kl=there)
        for (setting, circuit, kl), there in zip(chosen, judged, strict=True)
    )
    return Curve(
        method=job.method, seed=job.seed, candidates=len(found), seconds=round(seconds, 2),
        peak_mib=round(peak), points=points,
    )  # fmt: skip


def curve_elsewhere(job: Job) -> Curve:
    """In a new process. An error there becomes the curve's `fault`."""
    started, worker = time.monotonic(), Worker(threads=1)
    try:
        return worker.run(curve, job)
    except CheckError as error:
        why = " ".join(str(error).split())
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
    subject = trained_models.load_model(job.model)
    lists = prompt_lists.both_lists(job.task, subject.tokenizer, n=job.prompts, seed=job.seed)
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
    """Fewest edges first; each has a lower divergence than all before it."""
    rows = [(setting, circuit, kl) for (setting, circuit), kl in zip(candidates, kls, strict=True)]
    best, chosen = math.inf, []
    for row in sorted(rows, key=lambda r: (len(r[1]), r[2], r[0])):
        if row[2] < best:
            best = row[2]
            chosen.append(row)
    return chosen


def geometric(first: float, last: float, n: int) -> list[float]:
    """n numbers from first to last, each the same multiple of the one before."""
    return [first * (last / first) ** (i / max(n - 1, 1)) for i in range(n)]


# Sweeps ------------------------------------------------------------------------------------------------


def _ranked(method: Any) -> Sweep:
    def sweep(task: Task) -> Iterator[Candidate]:
        found = method(task)
        scores = getattr(found, "scores", None)
        if scores is None:
            raise user_error("TC187", where="--methods")  # fmt: skip
        for n in sorted({round(x) for x in geometric(1, task.graph.n_edges, SIZES)}):
            yield f"top {n}", top_edges(task, scores, n)

    return sweep


def _by_tau(task: Task) -> Iterator[Candidate]:
    taus = geometric(*TAUS, N_TAUS)
    for tau, circuit in zip(taus, Acdc().sweep(task, taus), strict=True):
        yield f"tau {tau:.2g}", circuit


def _by_price(task: Task) -> Iterator[Candidate]:
    for price, scores in RisingPrice().sweep(task):
        n_open = int((scores > 0).sum())
        for n in sorted({min(max(1, round(part * n_open)), len(scores)) for part in NEAR_OPEN}):
            yield f"price {price:.2g}, top {n}", top_edges(task, scores, n)


def _peak_mib() -> float:
    """The most memory this process has had; where Linux does not say, that of its parent before it counts too."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
