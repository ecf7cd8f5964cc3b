"""Detects programs that compile, but are not what their author meant, by what happens while they are built.

Python reads `0 < tokens < 3` as `(0 < tokens) and (tokens < 3)`. A SOp has no truth value of its own and counts as
true, so the first half is silently dropped. We detect this at run time, not in the source: the same expressions are
correct inside a function that is applied to values.

A function sees a variable's last value, not the one it had when the function was made: in a loop over `d`, every
`Map(lambda x: x // 10**d, tokens)` computes with the last `d`. So functions that were made at one place are compared,
where they share a variable: was it another when one of them was given to an expression?
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CellType, FunctionType
from typing import Any
from unittest import mock

import tracr
from tracr.rasp import rasp

from edgeprune_core.errors import CheckError
from tracrcheck.compiler.tracr_bugs import tracr_bug
from tracrcheck.error_codes import user_error
from tracrcheck.program import Program
from tracrcheck.rasp.expressions import expressions
from tracrcheck.rasp.interpreter import Evaluator

_TRACR = str(Path(tracr.__path__[0]))  # uses SOps as booleans itself, correctly


def author_errors(program: Program) -> list[CheckError]:
    """TC351 and TC352, once per line that does so; TC106 (chance). A `build` that raises is reported elsewhere."""
    truths: dict[str, None] = {}
    seen: dict[int, _Seen] = {}
    with _noting_truths(truths), _noting_functions(seen):
        try:
            sop = program.build()
        except Exception:
            return []
    errors = [*(_asked(program, line) for line in truths), *_late(program, sop, seen)]
    return errors or _by_chance(program, sop)


def _by_chance(program: Program, sop: Any) -> list[CheckError]:
    """TC106, if the interpreter gives an input two different outputs: then no compiled model can be right."""
    vocab = sorted(program.vocab, key=repr)
    tokens = [vocab[n % len(vocab)] for n in range(program.max_seq_len)] if vocab else []
    try:
        one, other = (list(Evaluator(tokens, causal=program.causal)(sop)) for _ in range(2))
    except Exception:  # not a legal input, or not an SOp
        return []
    if all(map(_alike, one, other)):
        return []
    return [user_error("TC106.chance", got=f"{one}, then {other}, of input {tokens}", program=program.name)]


def _alike(one: Any, other: Any) -> bool:
    """By their texts, since NaN is not itself. The text of an object without one of its own is its address, which changes."""
    return repr(one) == repr(other) or type(one).__repr__ is object.__repr__


# Asked for its truth -----------------------------------------------------------------------------------------


@contextmanager
def _noting_truths(lines: dict[str, None]) -> Iterator[None]:
    def noted(sop: rasp.SOp) -> bool:
        frame = sys._getframe(1)
        if not frame.f_code.co_filename.startswith(_TRACR):
            lines[f"{frame.f_code.co_filename}:{frame.f_lineno}"] = None
        return True

    rasp.SOp.__bool__ = noted
    try:
        yield
    finally:
        del rasp.SOp.__bool__


def _asked(program: Program, line: str) -> CheckError:
    return tracr_bug(
        "TC351",
        f"'{program.name}' uses an expression as a boolean",
        where=line,
        got="a chained comparison, `and`, `or`, `not` or `if` on a SOp, which always counts as true",
        wanted="an operation on its values",
    )


# Bound late --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """A function when it was first given to an expression, and what its variables held then."""

    function: FunctionType  # a reference, so that its identity is not reused
    held: tuple[Any, ...]

    def changed(self, at: int) -> bool:
        return not _equal(self.held[at], _content(_cells(self.function)[at]))


_EMPTY = object()


@contextmanager
def _noting_functions(seen: dict[int, _Seen]) -> Iterator[None]:
    def noting(init: Any) -> Any:
        def with_note(self: Any, *given: Any, **named: Any) -> None:
            init(self, *given, **named)
            for function in _functions([*given, *named.values()]):
                held = tuple(map(_content, _cells(function)))
                seen.setdefault(id(function), _Seen(function, held))

        return with_note

    with ExitStack() as stack:
        for kind in (rasp.Map, rasp.SequenceMap, rasp.Select):
            stack.enter_context(mock.patch.object(kind, "__init__", noting(kind.__init__)))
        yield


def _functions(values: Iterable[Any]) -> list[FunctionType]:
    """The functions among them, and those that they close over."""
    found: dict[int, FunctionType] = {}
    queue = list(values)
    while queue:
        value = queue.pop()
        value = value.func if isinstance(value, partial) else value
        if isinstance(value, FunctionType) and id(value) not in found:
            found[id(value)] = value
            queue += map(_content, _cells(value))
    return list(found.values())


def _cells(function: FunctionType) -> tuple[CellType, ...]:
    return function.__closure__ or ()


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _EMPTY


def _equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    return isinstance(one, (int, float, str, tuple)) and type(one) is type(other) and bool(one == other)


def _late(program: Program, sop: Any, seen: dict[int, _Seen]) -> Iterator[CheckError]:
    """For each place that makes several functions: the variables that they share, and that changed meanwhile."""
    exprs = expressions(sop) if isinstance(sop, rasp.SOp) else ()
    used = _functions(f for e in exprs for f in (getattr(e, "f", None), getattr(e, "predicate", None)))
    places: dict[Any, list[_Seen]] = {}
    for function in used:
        if id(function) in seen:
            places.setdefault(function.__code__, []).append(seen[id(function)])
    for code, here in places.items():
        names = [
            name
            for at, name in enumerate(code.co_freevars)
            if len({id(_cells(one.function)[at]) for one in here}) < len(here)
            and any(one.changed(at) for one in here)
        ]
        if names:
            yield _late_error(program, f"{code.co_filename}:{code.co_firstlineno}", names)


def _late_error(program: Program, line: str, names: list[str]) -> CheckError:
    variables = " and ".join(f"`{name}`" for name in names)
    return tracr_bug(
        "TC352",
        f"'{program.name}' makes functions in a loop that all use a variable's last value",
        where=line,
        got=f"{variables}, changed after the function was made",
        wanted=f"the value of {variables} when the function was made",
    )
