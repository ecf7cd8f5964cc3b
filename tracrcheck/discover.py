"""A method asked for the circuit of a trained model on a task, and any circuit judged there: on prompts not discovered on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeprune_core.ablations import ABLATIONS
from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError, did_you_mean
from edgeprune_core.faithfulness import Matrix, faithfulness
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.subjects import Subject
from edgeprune_core.task import Task
from edgeprune_core.tasks import Pair, prompt_task
from edgeprune_core.tasks.prompt_task import PromptTask
from tracrcheck.examinee import Answer, ask
from tracrcheck.importers import AUTO
from tracrcheck.importers.reading import read_file


@dataclass(frozen=True, kw_only=True)
class Found:
    """A method's answer on a task: `circuit` without the edges that no path joins to `out`, of which there were `dangling`.

    kl_mean, kl_worst: nats on the prompts it was found on. None, as `circuit`, where no circuit came back.
    """

    answer: Answer
    n_edges: int
    n_prompts: int
    circuit: Circuit | None = None
    dangling: int = 0
    kl_mean: float | None = None
    kl_worst: float | None = None


def check_ablation(name: str) -> str:
    """Errors: TC117."""
    if name not in ABLATIONS:
        raise CheckError(
            "TC117",
            f"no ablation '{name}' of prompts",
            where="--ablation",
            got=name,
            wanted=", ".join(ABLATIONS),
            do=did_you_mean(name, ABLATIONS),
        )
    return name


def discover(
    subject: Subject,
    pairs: Sequence[Pair],
    method: Callable[[Task], Any],
    *,
    ablation: str,
    seed: int = 0,
) -> Found:
    """Asks a method for the circuit on these prompts. What it does wrong stands in `answer.fault`."""
    task = _task(subject, pairs).under(ablation)
    answer = ask(method, task, seed=seed, timeout=None)
    found = Found(answer=answer, n_edges=task.graph.n_edges, n_prompts=len(pairs))
    if answer.fault or answer.circuit is None:
        return found
    circuit = answer.circuit.connected()
    off = task.deviations(circuit)
    return replace(
        found,
        circuit=circuit,
        dangling=len(answer.circuit) - len(circuit),
        kl_mean=float(off.mean()),
        kl_worst=float(off.max()),
    )


def judge(subject: Subject, pairs: Sequence[Pair], circuit: Circuit, *, draws: int, seed: int = 0) -> Matrix:
    """The faithfulness matrix of a circuit on these prompts. Errors: EP121 (a circuit of another graph)."""
    task = _task(subject, pairs)
    return faithfulness({name: task.under(name) for name in ABLATIONS}, circuit, draws=draws, seed=seed)


def circuit_of(path: Path, subject: Subject) -> Circuit:
    """A circuit of this subject from a file of any format that is imported. Errors: TC131-TC136."""
    graph = ResidualGraph.of(subject.model.spec)
    imported = read_file(path, graph, format=AUTO, threshold=None)
    return imported.granularity.expand(graph, imported.kept).connected()


def _task(subject: Subject, pairs: Sequence[Pair]) -> PromptTask:
    return prompt_task(subject.name, subject.model, pairs, subject.tokenizer)
