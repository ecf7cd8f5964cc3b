"""Runs the method under test on a task, and reads its answer.

A method gets its own copy of the task, its own gradient mode and its own random state, so that it cannot affect the
next run or the certificate. It may return a `Discovery`, a `Circuit`, edges (objects or text), `Scores`, nodes (text), or
what other tools make (`peers/answers.py`).
"""

from __future__ import annotations

import copy
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery, Scores
from edgeprune_core.errors import CheckError
from edgeprune_core.graph import Edge, ResidualGraph
from edgeprune_core.task import Task
from edgeprune_core.ties import levelled
from tracrcheck.importers.nodes import nodes_of
from tracrcheck.peers.answers import translated

# Seconds between further alarms, for a method that swallows the first.
AGAIN = 1.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a method returned: a circuit, or a fault (one of `verdict.METHOD_FAULTS`) and its detail.

    circuit: the returned edges that are in the graph; `foreign` are the others. None if there are no edges.
    scores:  a float64 per edge, in the order of `graph.edges`, if the method returned scores; equal where they tie
             (`edgeprune_core/ties.py`). Without a circuit, nodes or a fault these are the whole answer.
    nodes:   heads and MLPs, if the method returned nodes instead of edges.
    selector: what made the circuit of the scores, if the method says so.
    """

    circuit: Circuit | None = None
    fault: str | None = None
    foreign: tuple[str, ...] = ()
    detail: str = ""
    seconds: float = 0.0
    scores: Tensor | None = field(default=None, compare=False)
    nodes: tuple[str, ...] | None = None
    selector: str | None = None


class _TimeUp(BaseException):
    """Not an `Exception`, so that a method's own `except Exception` does not catch it."""


def ask(method: Callable[[Task], Any], task: Task, *, seed: int, timeout: float | None) -> Answer:
    """Runs a method. Returns an `Answer` whatever the method does; only Ctrl-C passes through."""
    own = copy.deepcopy(replace(task, seed=seed))
    started = time.monotonic()
    try:
        with _time_limit(timeout), torch.enable_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            answer = _read(method(own), task.graph)
    except _TimeUp:
        answer = Answer(fault="timeout", detail=f"no answer within {timeout:g} s")
    except KeyboardInterrupt:
        raise
    except CheckError as error:
        answer = refused(error)
    except BaseException as error:  # a test framework's exception for skipping a test is no `Exception`
        answer = Answer(fault="raised", detail=f"{type(error).__name__}: {error}")
    return replace(answer, seconds=time.monotonic() - started)


def ask_all(
    method: Callable[[Task], Any], task: Task, *, seeds: Sequence[int], timeout: float | None
) -> list[Answer]:
    """An answer per seed, as from `ask`.

    A method may have `many(task, seeds)`, which trains all seeds together and returns a result per seed. Its time limit
    is that of all seeds together. If any result is bad, every seed is run on its own, so that each has its own reason.
    """
    if len(seeds) > 1 and callable(many := getattr(method, "many", None)):
        answers = _ask_together(many, task, seeds, timeout)
        if answers is not None:
            return answers
    return [ask(method, task, seed=seed, timeout=timeout) for seed in seeds]


def _ask_together(
    many: Callable[..., Any], task: Task, seeds: Sequence[int], timeout: float | None
) -> list[Answer] | None:
    """The answers of `many`, or None if any of them is bad."""
    own = copy.deepcopy(task)
    limit = None if timeout is None else timeout * len(seeds)
    started = time.monotonic()
    try:
        with _time_limit(limit), torch.enable_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeds[0])
            answers = [_read(result, task.graph) for result in many(own, tuple(seeds))]
    except KeyboardInterrupt:
        raise
    except BaseException:  # as in `ask`
        return None
    if len(answers) != len(seeds) or any(answer.fault for answer in answers):
        return None
    share = (time.monotonic() - started) / len(seeds)
    return [replace(answer, seconds=share) for answer in answers]


@contextmanager
def _time_limit(seconds: float | None) -> Iterator[None]:
    """Raises `_TimeUp` after so many seconds. Needs the main thread; in other threads there is no limit."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum, frame):
        raise _TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    others, _ = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)  # another alarm, restored afterwards
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if others:
            signal.setitimer(signal.ITIMER_REAL, others)


def read_answer(result: Any, graph: ResidualGraph) -> Answer:
    """The answer that a method's result stands for."""
    return _read(result, graph)


def refused(error: CheckError) -> Answer:
    """The answer of a method that stops with an error of `peers`: a wrong call, and no result of the method."""
    if not error.code.startswith("TC19"):
        return Answer(fault="raised", detail=f"{type(error).__name__}: {error}")
    return Answer(
        fault="nan" if error.code == "TC193" and "finite" in error.what else "refused", detail=str(error)
    )


def _read(result: Any, graph: ResidualGraph) -> Answer:
    try:
        result = translated(result, graph)
    except CheckError as error:
        return refused(error)
    answer, selector = Answer(), None
    if isinstance(result, (Discovery, Scores)):
        selector = result.notes.get("selector")
        answer = _scores(result.scores, graph)
        if answer.fault or isinstance(result, Scores):
            return answer
        result = result.circuit
    scores = answer.scores
    if isinstance(result, Circuit):
        if result.graph != graph:
            return Answer(fault="foreign_edges", detail="a circuit of another graph")
        result = result.edges
    if result is None or isinstance(result, str) or not isinstance(result, Iterable):
        got = "nothing" if result is None else f"a {type(result).__name__}"
        return Answer(fault="no_result", detail=f"it returned {got}, not a Discovery, a Circuit or edges")
    items = list(result)
    if items and all(isinstance(item, str) and item in nodes_of(graph) for item in items):
        return Answer(nodes=tuple(dict.fromkeys(items)))
    return replace(_edges(items, graph), scores=scores, selector=selector)


def _scores(given: Any, graph: ResidualGraph) -> Answer:
    """An answer with these scores, or with what is wrong with them."""
    if given is None:
        return Answer()
    given = torch.as_tensor(given, dtype=torch.float64 if isinstance(given, (list, tuple)) else None)
    given = given.detach().cpu().flatten()
    scores = torch.tensor(levelled(given.tolist(), given.dtype), dtype=torch.float64)
    if bool(scores.isnan().any()):
        return Answer(fault="nan", detail="the scores of the edges are not numbers")
    if len(scores) != graph.n_edges:
        detail = f"it returned {len(scores)} scores for the {graph.n_edges} edges of the graph"
        return Answer(fault="no_result", detail=detail)
    return Answer(scores=scores)


def _edges(result: list[Any], graph: ResidualGraph) -> Answer:
    """Reads edges (objects or text); those not in the graph are `foreign`."""
    known: set[Edge] = set()
    foreign: list[str] = []
    for item in result:
        if not isinstance(item, (Edge, str)):
            return Answer(
                fault="no_result", detail=f"it returned a {type(item).__name__} where an edge belongs"
            )
        try:
            known.add(graph.edge(str(item)))
        except CheckError:
            foreign.append(str(item))
    circuit = Circuit.of(graph, known)
    if foreign:
        named = ", ".join(foreign[:5]) + (", ..." if len(foreign) > 5 else "")
        return Answer(
            circuit=circuit,
            fault="foreign_edges",
            foreign=tuple(dict.fromkeys(foreign)),
            detail=f"no such edges: {named}",
        )
    return Answer(circuit=circuit)
