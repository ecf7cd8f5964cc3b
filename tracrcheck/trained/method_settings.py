"""Settings of a method from the command line: `--set steps=800 --set price.per_edge=1e-4`."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch

from edgeprune_core.methods import EdgePruning
from edgeprune_core.methods.edge_pruning import WarmStart
from tracrcheck.error_codes import unknown_name, user_error
from tracrcheck.grading.by_name import find_method

NO_INIT = "none"


def with_settings(method: Any, texts: Sequence[str], *, where: str = "--set") -> Any:
    """The method with `name=value` for each text. A dot reaches into a setting that is itself a record.

    A value is read as Python writes it (400, 1e-4, True, None), else as text. Errors: TC117 (no such setting, no value, or
    one of another type).
    """
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise user_error("TC117.setting", where=where, got=text)
        method = _replaced(method, name.strip().split("."), value.strip(), where)
    return method


def started_from(method: Any, init: str | None) -> Any:
    """Edge pruning whose gates start from the ranking of the method named. Errors: TC113, TC117 (another method)."""
    if init is None:
        return method
    if not isinstance(method, EdgePruning):
        raise user_error("TC117.init", where="--init", got=type(method).__name__)
    if init == NO_INIT:
        return replace(method, init=None)
    ranking: Any = find_method(init, where="--init")
    return replace(method, init=replace(method.init or WarmStart(), method=ranking))


def settings_of(method: Any) -> dict[str, Any]:
    """The settings that `--set` knows, with their values."""
    if not is_dataclass(method):
        return {}
    return {f.name: getattr(method, f.name) for f in fields(method) if f.init}


def _replaced(record: Any, path: list[str], text: str, where: str) -> Any:
    name, *rest = path
    known = settings_of(record)
    if name not in known:
        raise unknown_name(
            "TC117.no_setting", name, known, where=where, kind=getattr(type(record), "__name__", "method")
        )
    new = _replaced(known[name], rest, text, where) if rest else _value(text, known[name], name, where)
    try:
        return replace(record, **{name: new})
    except (TypeError, ValueError) as error:
        raise user_error("TC117.setting", where=where, got=f"{name}={text}: {error}") from None


def _value(text: str, now: Any, name: str, where: str) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    if isinstance(now, torch.dtype) and isinstance(getattr(torch, text, None), torch.dtype):
        value = getattr(torch, text)
    if isinstance(now, float) and type(value) is int:
        value = float(value)
    wrong = isinstance(value, str) if now is None else value is not None and type(value) is not type(now)
    if wrong:
        raise user_error(
            "TC117.setting", where=where, got=f"{name}={text}", wanted=f"a value such as {name}={now!r}"
        )
    return value
