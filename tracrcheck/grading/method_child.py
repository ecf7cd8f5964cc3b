"""What runs in the process of a method: it finds the method, runs it on tasks, and answers in plain data.

The method gets a task, which holds tensors, the vocabulary's ids and the graph, and nothing else: this process has no
certificate, and no folder to read one from (`method_process.py`). `tracrcheck.truth` cannot be imported here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.abc import MetaPathFinder
from typing import Any

import torch

from edgeprune_core.errors import CheckError
from edgeprune_core.task import Task
from tracrcheck.grading.by_name import find_method
from tracrcheck.grading.run_method import plain, seed_all
from tracrcheck.processes.packing import unpacked
from tracrcheck.processes.serve import print_to_the_pipe

# What a setting is can be known; what is proved in it cannot.
FORBIDDEN, ALLOWED = "tracrcheck.truth.", ("tracrcheck.truth.setting", "tracrcheck.truth.task")


class _NoTruth(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname.startswith(FORBIDDEN) and fullname not in ALLOWED:
            raise ImportError(
                f"a method cannot import {fullname}: it is run apart from the truth (docs/gate.md). What needs it belongs "
                "in another module than the method's"
            )


class _Asked:
    """The method of this process. folder: where it starts to work each time."""

    method: Callable[[Task], Any]
    folder: str


def handle(request: bytes) -> dict[str, Any]:
    """The answer to a request: `found`, `results`, or what was `raised`, as `Type: text`."""
    try:
        operation, *rest = unpacked(request)
        operations: dict[str, Callable[..., dict[str, Any]]] = {"find": _find, "take": _take, "run": _run}
        return operations[operation](*rest)
    except CheckError as error:
        return {"refused": error.parts}
    except BaseException as error:  # also what a test framework raises to skip a test
        return {"raised": f"{type(error).__name__}: {_text(error)}"}


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return "its text cannot be read"


def _find(method: str | bytes, where: str, threads: int) -> dict[str, Any]:
    """Keeps the method. method: its name, or the object, packed."""
    if not any(isinstance(finder, _NoTruth) for finder in sys.meta_path):
        sys.meta_path.insert(0, _NoTruth())
    torch.set_num_threads(threads)
    _Asked.folder = os.getcwd()
    try:
        _Asked.method = find_method(method, where=where) if isinstance(method, str) else unpacked(method)
    except CheckError as error:
        return {"error": error.parts}
    return {"found": True, "many": callable(getattr(_Asked.method, "many", None))}


def _take(thing: bytes) -> dict[str, Any]:
    """Whether a part of a task can be unpacked here."""
    unpacked(thing)
    return {"taken": True}


def _run(task: Task, seeds: Sequence[int], together: bool) -> dict[str, Any]:
    """The results, one per seed, in plain data. Each starts from the same state, whatever the one before left behind."""
    os.chdir(_Asked.folder)
    print_to_the_pipe()
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    seed_all(seeds[0])
    with torch.enable_grad():
        if together:
            results = _Asked.method.many(task, tuple(seeds))  # type: ignore[attr-defined]
        else:
            results = [_Asked.method(replace(task, seed=seeds[0]))]
        return {"results": [plain(result, task.graph) for result in results]}
