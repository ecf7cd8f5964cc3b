"""Runs a method in this process, and reads its answer. `method_process.py` runs it in another.

A method gets its own copy of the task, its own gradient mode and its own random state. It may return a `Discovery`, a
`Circuit`, edges (objects or text), `Scores`, nodes (text), scores of nodes, or what other tools make (`peers/answers.py`).
"""

from __future__ import annotations

import copy
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery, Scores
from edgeprune_core.errors import CheckError
from edgeprune_core.graph import Edge, ResidualGraph
from edgeprune_core.task import Task
from edgeprune_core.ties import levelled
from tracrcheck.importers.nodes import nodes_of
from tracrcheck.peers.answers import NodeScores, translated
from tracrcheck.processes.clean import foreign_code_runs_here

# Seconds between further alarms, for a method that swallows the first.
AGAIN = 1.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a method returned: a circuit, or a fault (one of `verdict.METHOD_FAULTS`) and its detail.

    circuit: the returned edges that are in the graph; `foreign` are the others. None if there are no edges.
    scores:  a float64 per edge, in the order of `graph.edges`, if the method returned scores; equal where they tie
             (`edgeprune_core/ties.py`). Without a circuit, nodes or a fault these are the whole answer.
    nodes:   heads and MLPs, if the method returned nodes instead of edges.
    node_scores: as `scores`, of the heads and MLPs in the order of `graph.nodes`: the whole answer, if there are any.
    selector: what made the circuit of the scores, if the method says so.
    """

    circuit: Circuit | None = None
    fault: str | None = None
    foreign: tuple[str, ...] = ()
    detail: str = ""
    seconds: float = 0.0
    scores: Tensor | None = field(default=None, compare=False)
    nodes: tuple[str, ...] | None = None
    node_scores: Tensor | None = field(default=None, compare=False)
    selector: str | None = None


class _TimeUp(BaseException):
    """Not an `Exception`, so that a method's own `except Exception` does not catch it."""


def ask(method: Callable[[Task], Any], task: Task, *, seed: int, timeout: float | None) -> Answer:
    """Runs a method here. Returns an `Answer` whatever the method does; only Ctrl-C passes through."""
    if not (type(method).__module__ or "").startswith("edgeprune_core."):
        foreign_code_runs_here()
    own = copy.deepcopy(replace(task, seed=seed))
    started = time.monotonic()
    try:
        with _alone(seed, timeout):
            answer = read_answer(method(own), task.graph)
    except _TimeUp:
        answer = Answer(fault="timeout", detail=f"no answer within {timeout:g} s")
    except KeyboardInterrupt:
        raise
    except CheckError as error:
        answer = refused(error)
    except BaseException as error:  # a test framework's exception for skipping a test is no `Exception`
        answer = Answer(fault="raised", detail=f"{type(error).__name__}: {error}")
    return replace(answer, seconds=time.monotonic() - started)


def ask_together(
    many: Callable[..., Any], task: Task, seeds: Sequence[int], timeout: float | None
) -> list[Answer]:
    """The answers of a method's `many`, with the share of each in the seconds; none if it raises or takes too long."""
    own = copy.deepcopy(task)
    started = time.monotonic()
    try:
        with _alone(seeds[0], timeout):
            answers = [read_answer(result, task.graph) for result in many(own, tuple(seeds))]
    except KeyboardInterrupt:
        raise
    except BaseException:  # as in `ask`
        return []
    share = (time.monotonic() - started) / len(seeds)
    return [replace(answer, seconds=share) for answer in answers]


@contextmanager
def _alone(seed: int, timeout: float | None) -> Iterator[None]:
    """Its own time limit, gradient mode and random state."""
    states = random.getstate(), np.random.get_state()
    try:
        with _time_limit(timeout), torch.enable_grad(), torch.random.fork_rng(devices=[]):
            seed_all(seed)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def seed_all(seed: int) -> None:
    """Seeds the generators of Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


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
    return read_plain(plain(result, graph), graph)


def refused(error: CheckError) -> Answer:
    """The answer of a method that stops with an error of `peers`: a wrong call, and no result of the method."""
    if not error.code.startswith("TC19"):
        return Answer(fault="raised", detail=f"{type(error).__name__}: {error}")
    return Answer(
        fault="nan" if error.code == "TC193" and "finite" in error.what else "refused", detail=str(error)
    )


# Results as plain data -----------------------------------------------------------------------------------


def plain(result: Any, graph: ResidualGraph) -> dict[str, Any]:
    """A method's result as JSON can hold it. Its parts are optional.

    scores: numbers. alone: true of scores without a circuit. node_scores: numbers. edges: edges or nodes, as text. graph: of a circuit. selector:
    what made the circuit of the scores. problem: what came back instead, in words. refused: the parts of an error of `peers`.
    """
    try:
        result = translated(result, graph)
    except CheckError as error:
        return {"refused": error.parts}
    if isinstance(result, NodeScores):
        return {"node_scores": _numbers(result.scores)}
    found: dict[str, Any] = {}
    if isinstance(result, (Discovery, Scores)):
        if (selector := result.notes.get("selector")) is not None:
            found["selector"] = str(selector)
        if result.scores is not None:
            found["scores"] = _numbers(result.scores)
        if isinstance(result, Scores):
            return found | {"alone": True}
        result = result.circuit
    if isinstance(result, Circuit):
        found["graph"] = asdict(result.graph)
    if result is None or isinstance(result, str) or not isinstance(result, Iterable):
        got = "nothing" if result is None else f"a {type(result).__name__}"
        return found | {"problem": f"it returned {got}, not a Discovery, a Circuit or edges"}
    items = list(result)
    for item in items:
        if not isinstance(item, (Edge, str)):
            return found | {"problem": f"it returned a {type(item).__name__} where an edge belongs"}
    return found | {"edges": [str(item) for item in items]}


def _numbers(scores: Any) -> list[float]:
    """Equal where they tie, which depends on their precision (`edgeprune_core/ties.py`)."""
    given = torch.as_tensor(scores, dtype=torch.float64 if isinstance(scores, (list, tuple)) else None)
    given = given.detach().cpu().flatten()
    return torch.tensor(levelled(given.tolist(), given.dtype), dtype=torch.float64).tolist()


UNREADABLE = Answer(fault="no_result", detail="its process sent something that is no answer")


def read_plain(said: Any, graph: ResidualGraph) -> Answer:
    """The answer that `plain` data stand for. They may have been sent by a method: whatever they are, an answer comes out."""
    match said:
        case {"refused": {"code": str(), "what": str()} as parts} if _texts(parts.values()):
            try:
                return refused(CheckError(**parts))
            except TypeError:
                return UNREADABLE
    if not isinstance(said, dict):
        return UNREADABLE
    if (given := said.get("node_scores")) is not None:
        answer = _scores(given, len(graph.nodes), "nodes")
        return replace(answer, scores=None, node_scores=answer.scores)
    answer = Answer() if (given := said.get("scores")) is None else _scores(given, graph.n_edges, "edges")
    if answer.fault:
        return answer
    match said:
        case {"problem": str(problem)}:
            return Answer(fault="no_result", detail=problem)
        case {"scores": _, "alone": True}:
            return answer
        case {"edges": [*texts]} if _texts(texts) and isinstance(said.get("selector"), str | None):
            return _circuit(texts, answer, said, graph)
    return UNREADABLE


def _circuit(texts: Sequence[str], answer: Answer, said: Mapping[str, Any], graph: ResidualGraph) -> Answer:
    """answer: with the scores."""
    if "graph" in said and said["graph"] != asdict(graph):
        return Answer(fault="foreign_edges", detail="a circuit of another graph")
    if texts and all(text in nodes_of(graph) for text in texts):
        return Answer(nodes=tuple(dict.fromkeys(texts)))
    return replace(_edges(texts, graph), scores=answer.scores, selector=said.get("selector"))


def _texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _scores(given: Any, n: int, things: str) -> Answer:
    """An answer with these scores, or with what is wrong with them."""
    if not isinstance(given, list) or not all(type(number) is float for number in given):
        return UNREADABLE
    scores = torch.tensor(given, dtype=torch.float64)
    if bool(scores.isnan().any()):
        return Answer(fault="nan", detail=f"the scores of the {things} are not numbers")
    if len(scores) != n:
        detail = f"it returned {len(scores)} scores for the {n} {things} of the graph"
        return Answer(fault="no_result", detail=detail)
    return Answer(scores=scores)


def _edges(texts: Sequence[str], graph: ResidualGraph) -> Answer:
    """Those not in the graph are `foreign`."""
    known: set[Edge] = set()
    foreign: list[str] = []
    for text in texts:
        try:
            known.add(graph.edge(text))
        except CheckError:
            foreign.append(text)
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
