"""`discover` under torchrun, with the model sharded over the processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from edgeprune_core.distributed.edge_pruning import ShardedEdgePruning
from edgeprune_core.distributed.process_group import joined
from edgeprune_core.methods import EdgePruning
from edgeprune_core.task import Task
from edgeprune_core.trained_models import TrainedModel
from tracrcheck.error_codes import user_error
from tracrcheck.grading.run_method import Answer, read_answer
from tracrcheck.trained.discover import Checkpoint, Run


def check_method(method: Callable[[Task], Any]) -> EdgePruning:
    """Errors: TC182."""
    if isinstance(method, EdgePruning):
        return method
    raise user_error(
        "TC182", where="--distributed", got=getattr(method, "__qualname__", type(method).__name__)
    )


@contextmanager
def sharing(
    subject: TrainedModel, method: Callable[[Task], Any], checkpoint: Checkpoint | None
) -> Iterator[Run]:
    """Waits for all processes, and shards the model over them. Errors: TC182, EP211, EP212."""
    settings = check_method(method)
    with joined() as group:
        yield Run(
            subject=replace(subject, model=group.sharded(subject.model.to(settings.dtype))),
            method=ShardedEdgePruning(method=settings, group=group),
            checkpoint=None if checkpoint is None else replace(checkpoint, writes=group.first),
            asking=ask,
            first=group.first,
        )


def ask(method: Callable[[Task], Any], task: Task, *, seed: int, timeout: float | None) -> Answer:
    """Like `run_method.ask`, for our own methods: the model is not copied, and exceptions propagate."""
    started = time.monotonic()
    answer = read_answer(method(replace(task, seed=seed)), task.graph)
    return replace(answer, seconds=time.monotonic() - started)
