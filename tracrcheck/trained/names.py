"""Checks the names that the commands for trained models take. It loads no torch, so that a wrong one is refused before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeprune_core.ablations import ABLATIONS
from edgeprune_core.tasks import TASKS
from tracrcheck.error_codes import unknown_name, user_error
from tracrcheck.grading.by_name import check_method


def check_task(task: str) -> str:
    """A task's name, or a file of pairs. Errors: TC171."""
    if task in TASKS or Path(task).is_file():
        return task
    raise unknown_name("TC171", task, TASKS, where="--task")


def check_both_tasks(a: str | None, b: str | None, model: str | None) -> list[str]:
    """Both tasks, or neither. Errors: TC185 (one), TC171."""
    if (a is None) == (b is None) and (model is None or a is not None):
        return [check_task(task) for task in (a, b) if task is not None]
    raise user_error(
        "TC185",
        where="--task-a, --task-b" if model is None else "--model",
        got=", ".join(f"{name} {value}" for name, value in (("--task-a", a), ("--task-b", b)) if value)
        or "neither",
    )


def check_ablation(name: str) -> str:
    """Errors: TC117."""
    if name not in ABLATIONS:
        raise unknown_name("TC117.ablation", name, ABLATIONS, where="--ablation")
    return name


def check_methods(text: str) -> tuple[str, ...]:
    """The methods in a comma-separated list. Errors: TC113, TC117 (one twice, or none)."""
    names: Sequence[str] = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise user_error("TC117.no_method", where="--methods")
    if twice := {name for name in names if names.count(name) > 1}:
        raise user_error("TC117.twice", where="--methods", got=", ".join(sorted(twice)))
    return tuple(check_method(name, where="--methods") for name in names)
