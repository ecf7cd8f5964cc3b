"""Finds a method or a metric by its name. It loads no torch, so that a wrong name is refused before."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgeprune_core.errors import CheckError
from edgeprune_core.methods import METHODS
from edgeprune_core.metrics import METRICS
from tracrcheck.error_codes import unknown_name, user_error
from tracrcheck.processes.clean import foreign_code_runs_here

if TYPE_CHECKING:
    from edgeprune_core.task import Task

_METRIC = {"kind": "metric", "takes": "(task, outputs, items)", "where": "--metric"}


def find_method(name: str, *, where: str = "--method") -> Callable[[Task], Any]:
    """A method by its name, or as `module:callable`. Errors: TC113."""
    return named_callable(name, METHODS, kind="method", takes="a Task", where=where)


def check_method(name: str, *, where: str = "--method") -> str:
    """A method's name or `module:callable`, which is not imported yet. Errors: TC113 (no such name)."""
    return _check_name(name, METHODS, kind="method", takes="a Task", where=where)


def method_or_name(name: str) -> str | Callable[[Task], Any]:
    """A method of ours itself, and the name of any other, whose module is not imported here. For `sources_of`."""
    return METHODS.get(name, name)


def check_metric(name: str) -> str:
    """As `check_method`."""
    return _check_name(name, METRICS, **_METRIC)


def find_metric(name: str) -> Any:
    """A metric by its name, or as `module:callable`. Errors: TC113."""
    return named_callable(name, METRICS, **_METRIC)


def _check_name(name: str, table: Collection[str], *, kind: str, takes: str, where: str) -> str:
    if name not in table and ":" not in name:
        raise unknown_name("TC113.name", name, table, where=where, kind=kind, takes=takes)
    return name


def named_callable(name: str, table: Mapping[str, Any], *, kind: str, takes: str, where: str) -> Any:
    """A row of a table, or `module:callable`; a class is instantiated without arguments.

    Modules in the current folder can be imported. Errors: TC113.
    """
    _check_name(name, table, kind=kind, takes=takes, where=where)
    if name in table:
        return table[name]
    module_name, _, attribute = name.partition(":")
    foreign_code_runs_here()
    with _current_folder_importable():
        try:
            found: Any = importlib.import_module(module_name)
            for part in attribute.split("."):
                found = getattr(found, part)
            if isinstance(found, type):
                found = found()
        except CheckError as error:  # such as a tool that is not installed
            raise error.at(where) from None
        except (Exception, SystemExit) as error:
            got = f"{type(error).__name__}: {error}"
            raise user_error(
                "TC113.import", where=where, got=got, name=name, kind=kind, takes=takes
            ) from error
    if not callable(found):
        got = f"a {type(found).__name__}"
        raise user_error("TC113.call", where=where, got=got, name=name, kind=kind, takes=takes)
    return found


@contextmanager
def _current_folder_importable() -> Iterator[None]:
    folder = os.getcwd()
    if folder in sys.path or "" in sys.path:
        yield
        return
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
