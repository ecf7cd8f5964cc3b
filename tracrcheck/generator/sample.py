"""Builds a recipe from random choices, made by a seeded generator or by Hypothesis.

Most of what Tracr compiles wrongly (docs/compiler-faults.md) is avoided by construction: categorical aggregates select
exactly one place, keys are zero at BOS, numbers are not negative, and no mean rounds across a threshold. The rest is
compiled and compared, and rejected only if it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from tracrcheck.generator.recipe import (
    Above,
    Combine,
    Grid,
    Map,
    Mean,
    Number,
    Operation,
    Pair,
    Recipe,
    Table,
    Take,
    Width,
    inputs_of,
)
from tracrcheck.generator.sizes import SIZES

T = TypeVar("T")

# Relative frequencies of the operations, simplest first; `tracrcheck fuzz` prints the resulting composition.
WEIGHTS = {"map": 2, "width": 5, "pair": 5, "take": 6, "mean": 7, "number": 3, "combine": 6, "above": 2}
COUNTS = {1: 1, 2: 2, 3: 4, 4: 6, 5: 7, 6: 8}  # operations
FACTORS = ((10, 10), (10, -10), (5, 5), (10, 5))  # tenths
THRESHOLDS = (0, 3, 4)  # tenths: between the shares of up to 4 places that Tracr tells apart
UNREAD = 3  # times as often as a value that was used before
VALUES = 3  # a table's values are below it
BY_ORDER = ("LT", "LEQ", "GT")


class Choices(Protocol):
    """pick: one of the options, the simplest first; weights are hints. below: a whole number in 0..n-1."""

    def pick(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T: ...

    def below(self, n: int) -> int: ...


@dataclass(frozen=True)
class _Value:
    """What is known about a value before compiling.

    size: categorical values are below it. place: it is always an existing position, in causal programs not a later
    one. clean: zero at BOS. sure: never None. tokens: it depends on the tokens. ordered: no text among numbers.
    """

    size: int
    numerical: bool = False
    place: bool = False
    clean: bool = True
    sure: bool = True
    tokens: bool = False
    ordered: bool = True


def draft(choices: Choices, *, n_operations: int | None = None, size: str = "small") -> Recipe:
    """A recipe of 1-6 operations, all of which the output depends on; the output depends on the tokens. size: of `SIZES`."""
    of = SIZES[size]
    length = choices.pick(list(of.lengths), list(of.lengths.values()))
    n_tokens = choices.pick(list(of.tokens), list(of.tokens.values()))
    mixed = of.mixed and choices.pick([False, True])
    causal = choices.pick([False, True], [3, 1])
    count = choices.pick(list(COUNTS), list(COUNTS.values())) if n_operations is None else n_operations
    drafting = _Draft(choices, n_tokens, length, mixed)
    for _ in range(count):
        drafting.add()
    if not drafting.values[-1].tokens:
        drafting.replace_last()
    return Recipe(
        n_tokens=n_tokens,
        max_seq_len=length,
        causal=causal,
        mixed=mixed,
        operations=needed(tuple(drafting.operations)),
    )


class _Draft:
    def __init__(self, choices: Choices, n_tokens: int, length: int, mixed: bool) -> None:
        self.choices, self.length, self.mixed = choices, length, mixed
        self.operations: list[Operation] = []
        self.values = [_Value(n_tokens, tokens=True, ordered=not mixed), _Value(length, place=True)]
        self.by_tokens = False  # the next input must depend on the tokens, if a suitable one does

    def replace_last(self) -> None:
        """Replaces the last operation by one that depends on the tokens."""
        self.operations.pop()
        self.values.pop()
        self.by_tokens = True
        self.add()

    def add(self) -> None:
        numbers = [self.values[i] for i in self._having(numerical)]
        if self.by_tokens and not any(v.tokens for v in numbers):
            numbers = []
        lacking = [kind for kind, least in (("combine", 2), ("above", 1)) if len(numbers) < least]
        kinds = [kind for kind in WEIGHTS if kind not in lacking]
        kind = self.choices.pick(kinds, [WEIGHTS[k] for k in kinds])
        operation, value = getattr(self, f"_{kind}")()
        read = [self.values[i] for i in inputs_of(operation).values()]
        self.operations.append(operation)
        self.values.append(replace(value, tokens=any(v.tokens for v in read)))

    # Inputs ---------------------------------------------------------------------------------------------

    def _having(self, test: Callable[[_Value], bool]) -> list[int]:
        return [i for i, value in enumerate(self.values) if test(value)]

    def _input(self, test: Callable[[_Value], bool]) -> int:
        """Any suitable value; recent and unused ones more often, so that chains grow long."""
        found = self._having(test)
        if self.by_tokens and (depending := [i for i in found if self.values[i].tokens]):
            found, self.by_tokens = depending, False
        read = {i for operation in self.operations for i in inputs_of(operation).values()}
        return self.choices.pick(
            found, [(1 + 2 * max(0, i - 1)) * (1 if i in read else UNREAD) for i in found]
        )

    def _table(self, size: int, values: int = VALUES) -> Table:
        return tuple(self.choices.below(values) for _ in range(size))

    def _selection(self) -> tuple[int, int, str | Grid]:
        """Any keys, queries, and a comparison or a grid."""
        keys, queries = self._input(key), self._input(plain)
        comparisons = {"EQ": 4, "LT": 2, "LEQ": 2, "GT": 2, "NEQ": 1, "TRUE": 1, "grid": 5}
        if not (self.values[keys].ordered and self.values[queries].ordered):
            comparisons = {name: weight for name, weight in comparisons.items() if name not in BY_ORDER}
        by = self.choices.pick(tuple(comparisons), tuple(comparisons.values()))
        if by != "grid":
            return keys, queries, by
        rows, columns = self.values[queries].size, self.values[keys].size
        return keys, queries, tuple(self._table(columns, 2) for _ in range(rows))

    def _one_place(self) -> tuple[int, int, str | Grid]:
        """Keys are positions, and each query selects an existing one."""
        queries = self._input(lambda v: v.place)
        if self.choices.pick((True, False)) and queries != 1:
            return 1, queries, "EQ"
        places = [self.choices.below(q + 1) for q in range(self.values[queries].size)]
        return 1, queries, tuple(tuple(int(k == place) for k in range(self.length)) for place in places)

    # Operations -----------------------------------------------------------------------------------------

    def _map(self) -> tuple[Operation, _Value]:
        source = self._input(categorical)
        of = self.values[source]
        value = _Value(VALUES, clean=of.clean, sure=of.sure, ordered=not self.mixed)
        return Map(source, self._table(of.size)), value

    def _pair(self) -> tuple[Operation, _Value]:
        if self.choices.pick((False, True), (2, 1)):
            return self._pointer()
        first = self._input(categorical)
        second = self._input(lambda v: categorical(v) and v is not self.values[first])
        one, other = self.values[first], self.values[second]
        grid = tuple(self._table(other.size) for _ in range(one.size))
        return Pair(first, second, grid), _Value(
            VALUES, clean=one.clean or other.clean, sure=one.sure and other.sure
        )

    def _pointer(self) -> tuple[Operation, _Value]:
        """A position no later than its own, chosen by another value."""
        first = self._input(lambda v: plain(v) and not v.place)
        rows = self.values[first].size
        grid = tuple(tuple(self.choices.below(i + 1) for i in range(self.length)) for _ in range(rows))
        return Pair(first, 1, grid), _Value(self.length, place=True)

    def _width(self) -> tuple[Operation, _Value]:
        keys, queries, by = self._selection()
        never_itself = keys == queries and by in ("LT", "GT")  # so at most all the others
        return Width(keys, queries, by), _Value(self.length + 1, place=never_itself, clean=False)

    def _take(self) -> tuple[Operation, _Value]:
        one = self.choices.pick((True, False), (9, 1))
        where = self._one_place() if one else self._selection()
        values = self._input(lambda v: plain(v) and v.clean)
        of = self.values[values]
        return Take(*where, values), _Value(of.size, sure=one, ordered=of.ordered)

    def _mean(self) -> tuple[Operation, _Value]:
        where = self._selection()
        values = self._input(lambda v: plain(v) and v.clean)
        return Mean(*where, values, self._table(self.values[values].size, 2)), _Value(0, numerical=True)

    def _number(self) -> tuple[Operation, _Value]:
        source = self._input(plain)
        table = tuple(10 * x for x in self._table(self.values[source].size, 2))
        return Number(source, table), _Value(0, numerical=True)

    def _combine(self) -> tuple[Operation, _Value]:
        first = self._input(numerical)
        second = self._input(lambda v: v.numerical and v is not self.values[first])
        factors = self.choices.pick(FACTORS)
        return Combine(first, second, factors), _Value(0, numerical=True)

    def _above(self) -> tuple[Operation, _Value]:
        return Above(self._input(numerical), self.choices.pick(THRESHOLDS)), _Value(2, clean=False)


def categorical(value: _Value) -> bool:
    return not value.numerical


def numerical(value: _Value) -> bool:
    return value.numerical


def plain(value: _Value) -> bool:
    """Usable as a query or for counting: categorical and never None."""
    return value.sure and not value.numerical


def key(value: _Value) -> bool:
    return plain(value) and value.clean


def needed(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """The operations that the last one depends on, renumbered."""
    kept = {len(operations) + 1}
    for number in reversed(range(len(operations))):
        if number + 2 in kept:
            kept |= set(inputs_of(operations[number]).values())
    order = [i for i in range(len(operations)) if i + 2 in kept]
    new = {0: 0, 1: 1} | {old + 2: place + 2 for place, old in enumerate(order)}
    return tuple(
        replace(operations[i], **{name: new[value] for name, value in inputs_of(operations[i]).items()})  # type: ignore[arg-type]
        for i in order
    )
