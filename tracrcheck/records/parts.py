"""What a callable was made with."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Iterator
from typing import Any

# Values that are their own description.
PLAIN = (str, bytes, int, float, complex, bool, type(None))
# Packages whose values are numbers.
NUMBERS = ("torch", "numpy")


def modules_and_values(thing: Any) -> tuple[set[str], list[str]]:
    """The modules that define the functions and classes which make up a callable, and the values in it, in a fixed order."""
    modules: set[str] = set()
    values: list[str] = []
    _add(thing, modules, values, set())
    return modules, values


def _add(thing: Any, modules: set[str], values: list[str], seen: set[int]) -> None:
    if isinstance(thing, PLAIN):
        values.append(repr(thing))
        return
    if id(thing) in seen:
        return
    seen.add(id(thing))
    kind = thing if inspect.isfunction(thing) or isinstance(thing, type) else type(thing)
    values.append(kind.__qualname__)
    if kind.__module__.partition(".")[0] in NUMBERS:
        values.append(_digest(thing))
        return
    modules.add(kind.__module__)
    for inner in _inside(thing):
        _add(inner, modules, values, seen)


def _inside(thing: Any) -> Iterator[Any]:
    if isinstance(thing, functools.partial):
        yield from (thing.func, thing.args, thing.keywords)
    elif inspect.ismethod(thing):
        yield from (thing.__self__, thing.__func__)
    elif inspect.isfunction(thing):
        yield from inspect.getclosurevars(thing).nonlocals.items()
        yield from (thing.__defaults__, thing.__kwdefaults__)
    elif isinstance(thing, (list, tuple)):
        yield from thing
    elif isinstance(thing, (set, frozenset)):
        yield from sorted(thing, key=repr)
    elif isinstance(thing, dict):
        yield from thing.items()
    elif not isinstance(thing, type) and not inspect.ismodule(thing):
        names = sorted({*getattr(thing, "__dict__", ()), *_slots(type(thing))})
        yield from ((name, getattr(thing, name)) for name in names if hasattr(thing, name))


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        yield from [slots] if isinstance(slots, str) else slots


def _digest(numbers: Any) -> str:
    try:
        array = numbers.detach().cpu().numpy() if hasattr(numbers, "detach") else numbers
        return f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
    except Exception:  # a class, a generator, a dtype
        return repr(type(numbers))
