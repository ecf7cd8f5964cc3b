"""Methods under test, good and bad, named on the command line as `tests.tracrcheck.pruners:name`."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.graph import ResidualGraph


def peeled(task, edges):
    """Removes edges in this order, each if the rest is faithful on every item."""
    circuit = Circuit.full(task.graph)
    for edge in edges:
        if edge in circuit:
            smaller = circuit.without(edge).connected()
            if task.accepts(smaller):
                circuit = smaller
    return circuit


def knows_the_answer(task):
    """Right on the programs that the tests ask it for."""
    return peeled(task, reversed(task.graph.edges))


def counts_the_inputs(task):
    """Another circuit for another list of inputs."""
    n = int(task.tokens.sum()) % len(task.graph.edges)
    return Circuit.of(task.graph, [task.graph.edges[n]])


def parent_of(process):
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:"))


def judge():
    """The process that judges: it started the fork server, which is the parent of this process."""
    return parent_of(os.getppid())


def as_discovery(task):
    return Discovery(circuit=knows_the_answer(task), scores=torch.zeros(task.graph.n_edges))


def as_texts(task):
    return knows_the_answer(task).texts


def as_generator(task):
    yield from knows_the_answer(task)


def everything(task):
    return Circuit.full(task.graph)


def killed_at_seed_two_the_first_time(task):
    """The process that judges it is killed once; one file says so to the next, and another says which seeds were asked."""
    with open("asked", "a") as file:
        file.write(f"{task.seed} ")
    mark = Path("killed")
    if task.seed == 2 and not mark.exists():
        mark.touch()
        os.kill(judge(), signal.SIGKILL)
        time.sleep(60)
    return some_edges(task)


def kills_its_worker_the_first_time(task):
    """The Dask worker that started the process that judges is killed while seed 2 is at work, once."""
    mark = Path("killed")
    if task.seed == 2 and not mark.exists():
        mark.touch()
        os.kill(parent_of(judge()), signal.SIGKILL)
        time.sleep(60)
    return some_edges(task)


def leaves_at_seed_one(task):
    """Ends its process at seed 1."""
    if task.seed == 1:
        os._exit(3)
    return some_edges(task)


def leaves_well(task):
    os._exit(0)


def says_what_no_terminal_shows(task):
    raise ValueError("\ud800 and \x1b[31m")


def some_edges(task):
    """Other edges for each seed."""
    return [edge for n, edge in enumerate(task.graph.edges) if n % 5 == task.seed % 5]


def hangs_at_odd_seeds(task):
    return hangs(task) if task.seed % 2 else some_edges(task)


def nothing_kept(task):
    return Circuit.empty(task.graph)


def raises(task):
    raise ValueError("no luck")


def raises_late(task):
    yield "tok -> out"
    raise ValueError("no luck")


def exits(task):
    raise SystemExit(3)


def hangs(task):
    while True:
        time.sleep(0.01)


def hangs_and_swallows(task):
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0.01)


def nan_scores(task):
    scores = torch.zeros(task.graph.n_edges)
    scores[0] = torch.nan
    return Discovery(circuit=knows_the_answer(task), scores=scores)


def too_few_scores(task):
    return Discovery(circuit=knows_the_answer(task), scores=torch.zeros(3))


def scores_all_but_one(task):
    """Ranks every required edge above all others, and yet returns one too few."""
    required = knows_the_answer(task)
    scores = torch.tensor([float(e in required) for e in task.graph.edges], requires_grad=True)
    return Discovery(circuit=required.without(next(iter(required))), scores=scores)


def skips(task):
    pytest.skip("not today")


def foreign(task):
    return [*knows_the_answer(task).texts, "a7.h3 -> out"]


def other_graph(task):
    return Circuit.full(ResidualGraph(n_layers=1, n_heads=3, n_kv_heads=3))


def returns_none(task):
    return None


def returns_number(task):
    return 7


def returns_text(task):
    return "tok -> out"


def returns_numbers(task):
    return [1, 2]


def only_for_even_seeds(task):
    if task.seed % 2:
        raise ValueError("odd")
    return knows_the_answer(task)


def spoils_its_task(task):
    """Writes into everything it can reach; what is graded after must not notice."""
    found = knows_the_answer(task)
    task.model.weights.unembed.zero_()
    task.tokens.zero_()
    task.scored.zero_()
    torch.set_grad_enabled(False)
    return found


def interrupted(task):
    """Somebody presses Ctrl-C while seed 1 is at work."""
    if task.seed == 1:
        os.kill(judge(), signal.SIGINT)
        time.sleep(60)
    return knows_the_answer(task)


@dataclass(frozen=True)
class Record:
    """Named as a type: called without arguments first."""

    share: float = 0.5

    def __call__(self, task):
        return knows_the_answer(replace(task))


class NeedsArguments:
    def __init__(self, share):
        self.share = share


NOT_A_FUNCTION = 7


@dataclass(frozen=True)
class Together:
    """Its `many` goes wrong as `fault` says. A call for one seed does not, except for seed 1, where it raises."""

    fault: str = ""

    def __call__(self, task):
        if self.fault and task.seed == 1:
            raise ValueError("one")
        return some_edges(task)

    def many(self, task, seeds):
        found = [some_edges(replace(task, seed=seed)) for seed in seeds]
        match self.fault:
            case "raises":
                raise ValueError("all")
            case "hangs":
                hangs(task)
            case "too few":
                return found[1:]
            case "foreign":
                return [["a9.h9 -> out"], *found[1:]]
            case "nothing":
                return None
        return found


together = Together()


class TogetherAndGone(Together):
    """Takes its process with it wherever seed 1 is asked for."""

    def __call__(self, task):
        return leaves_at_seed_one(task)

    def many(self, task, seeds):
        return [leaves_at_seed_one(replace(task, seed=seed)) for seed in seeds]
