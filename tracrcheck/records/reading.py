"""Writes dataclasses as JSON values, and reads them back: lists everything that does not fit.

A dataclass is read from an object with exactly its fields; a field with `metadata={"flat": True}` is a dataclass whose own
fields stand among the others. A `TypedDict` is read as a dict. Defaults do not count: what is written is complete, and a
field that is absent is a file cut short. The exception are fields that a schema got later: a dataclass marks them by
`metadata=LATER`, and a `TypedDict` by `total=False`; older files are read without them. Each problem says where, what is there, and what was wanted:

    rows[3].seconds: '1', wanted a number
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

LATER = {"later": True}
WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}


def read(
    kind: Any, value: Any, where: str, problems: list[str], given: Mapping[str, Any] | None = None
) -> Any:
    """The value as `kind`, one of the types of JSON or a type made of them; None where it does not fit.

    problems: what does not fit is appended. given: fields of a dataclass that are known and do not stand in the file.
    """
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        if value is None and NoneType in args:
            return None
        (of,) = (one for one in args if one is not NoneType)
        return read(of, value, where, problems) if _fits(of, value) else _wrong(kind, value, where, problems)
    if not _fits(kind, value):
        return _wrong(kind, value, where, problems)
    if is_dataclass(kind) or is_typeddict(kind):
        return _object(kind, value, where, problems, given or {})
    if origin in (list, tuple):
        items = (read(args[0], item, f"{where}[{i}]", problems) for i, item in enumerate(value))
        return origin(items)
    if args and origin in (dict, Mapping):
        return {name: read(args[1], item, f"{where}.{name}", problems) for name, item in value.items()}
    return value


def plain(value: Any) -> Any:
    """The value as JSON has it: what `read` reads. A class with `to_json` has a form of its own."""
    if hasattr(value, "to_json"):
        return value.to_json()
    if is_dataclass(value):
        parts = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        kind: Any = type(value)
        flat = _flat(kind)
        found: dict[str, Any] = {}
        for name, part in parts.items():
            found |= part if name in flat else {name: part}
        return found
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _fits(kind: Any, value: Any) -> bool:
    """Whether the value is of this type, its own items not looked at."""
    origin = get_origin(kind) or kind
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in get_args(kind))
    if origin is Any:
        return True
    if origin in (int, float):  # True is an int to Python, and not in JSON
        return isinstance(value, int if origin is int else (int, float)) and not isinstance(value, bool)
    if origin in (str, bool):
        return isinstance(value, origin)
    return isinstance(value, list if origin in (list, tuple) else dict)


def _wrong(kind: Any, value: Any, where: str, problems: list[str]) -> None:
    problems.append(f"{where or 'file'}: {_short(value)}, wanted {_words(kind)}")


def _words(kind: Any) -> str:
    origin, args = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(map(_words, args))
    if origin is Literal:
        return " or ".join(map(repr, args))
    return WORDS.get(origin, "a list" if origin in (list, tuple) else "an object")


def _short(value: Any, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else text[:most] + "..."


def _object(
    kind: Any, value: dict[str, Any], where: str, problems: list[str], given: Mapping[str, Any]
) -> Any:
    before, wanted = len(problems), _names(kind) - given.keys()
    at, needed = where or "file", wanted - _later(kind)
    problems += [f"{at}.{name}: not there" for name in _ordered(kind) if name in needed and name not in value]
    problems += [f"{at}.{name}: no such field" for name in value if name not in wanted]
    found = _built(kind, value, where, problems, given)
    return found if len(problems) == before else None


def _built(
    kind: Any, value: dict[str, Any], where: str, problems: list[str], given: Mapping[str, Any]
) -> Any:
    before, made = len(problems), {}
    for name, of in _hints(kind).items():
        if name in _flat(kind):
            made[name] = _built(of, value, where, problems, given)
        elif name in given:
            made[name] = given[name]
        elif name in value:
            made[name] = read(of, value[name], f"{where}.{name}" if where else name, problems)
    whole = len(problems) == before and _hints(kind).keys() - _later(kind) <= made.keys()
    return kind(**made) if whole else None


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return hints if is_typeddict(kind) else {field.name: hints[field.name] for field in fields(kind)}


@cache
def _later(kind: Any) -> frozenset[str]:
    """Fields that older files do not have, those of flat fields among them."""
    if is_typeddict(kind):
        return frozenset(kind.__optional_keys__)
    own = (f.name for f in fields(kind) if f.metadata.get("later"))
    return frozenset(own).union(*(_later(of) for name, of in _hints(kind).items() if name in _flat(kind)))


@cache
def _flat(kind: Any) -> frozenset[str]:
    flat = () if is_typeddict(kind) else (f.name for f in fields(kind) if f.metadata.get("flat"))
    return frozenset(flat)


@cache
def _ordered(kind: Any) -> tuple[str, ...]:
    """The names in the object, those of flat fields among them."""
    parts = ((_ordered(of) if name in _flat(kind) else (name,)) for name, of in _hints(kind).items())
    return tuple(name for part in parts for name in part)


@cache
def _names(kind: Any) -> frozenset[str]:
    return frozenset(_ordered(kind))
