"""One order for values of several types, while Tracr's passes run.

Tracr sorts directions by their values, and as text where two values do not compare. Over several types that is no order:
9 < 10 < "1a" < 9, and neither of "1" and 1 comes first. What comes out then depends on the order of a set, which differs
between our route and Haiku's, and between processes (TC316). Here None comes first, then numbers, strings, and tuples
by their elements. Values that compare are ordered as by Tracr.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tracr.craft import bases

PLAIN = frozenset({type(None), bool, int, float, str})


@contextmanager
def one_order() -> Iterator[None]:
    before = bases.BasisDirection.__lt__
    bases.BasisDirection.__lt__ = _before
    try:
        yield
    finally:
        bases.BasisDirection.__lt__ = before


def _before(one: bases.BasisDirection, other: bases.BasisDirection) -> bool:
    if _is_plain(one.value) and _is_plain(other.value):
        try:
            return bool((one.name, one.value) < (other.name, other.value))
        except TypeError:
            pass
    return (_key(one.name), _key(one.value)) < (_key(other.name), _key(other.value))


def _is_plain(value: Any) -> bool:
    """Whether the value compares with another plain one as their keys do, or not at all: the keys are slow."""
    return type(value) in PLAIN or (type(value) is tuple and PLAIN.issuperset(map(type, value)))


def _key(value: Any) -> tuple[Any, ...]:
    match value:
        case None:
            return (0,)
        case bool() | int() | float():
            return 1, value
        case str():
            return 2, value
        case tuple():
            return 3, tuple(map(_key, value))
    return 4, type(value).__name__, str(value)
