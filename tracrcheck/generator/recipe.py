"""Recipes: RASP programs as data, so that a drawn program can be saved, shrunk and replayed.

A recipe is a list of operations that refer to their inputs by index: 0 is the tokens, 1 the indices, and 2 + i
operation i. The last operation is the output. Tokens are the numbers 0, 1, ...; values are small integers, or numerical
(for `Mean`, `Combine` and `Number`). In a mixed recipe odd tokens, and odd values of `Map`, are texts: 0, "1", 2, ... Tables are indexed modulo their length, so that they have an entry for every value
that Tracr infers, including those that never occur.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from tracr.rasp import rasp

from edgeprune_core.errors import CheckError, did_you_mean
from tracrcheck.error_codes import user_error
from tracrcheck.program import Program

COMPARISONS = {c.name: c for c in rasp.Comparison}

Table = tuple[int, ...]
Grid = tuple[tuple[int, ...], ...]  # rows: the first input (of a selection: the query)


@dataclass(frozen=True)
class Map:
    """table[x]"""

    source: int
    table: Table


@dataclass(frozen=True)
class Pair:
    """A sequence map: grid[x][y]."""

    first: int
    second: int
    grid: Grid


@dataclass(frozen=True)
class Selection:
    """Which keys each query selects. `by`: a comparison (key against query), or a grid[query][key] of 0 and 1."""

    keys: int
    queries: int
    by: str | Grid


@dataclass(frozen=True)
class Width(Selection):
    """How many keys are selected."""


@dataclass(frozen=True)
class Take(Selection):
    """A categorical aggregate: the value at the selected key, or None."""

    values: int


@dataclass(frozen=True)
class Mean(Selection):
    """A numerical aggregate: the share of selected places with table[x] = 1 (else 0); 0 if none is selected."""

    values: int
    table: Table


@dataclass(frozen=True)
class Number:
    """A categorical value as a number: table[x], in tenths."""

    source: int
    table: Table


@dataclass(frozen=True)
class Combine:
    """A linear combination of two numericals; the factors are in tenths."""

    first: int
    second: int
    factors: tuple[int, ...]


@dataclass(frozen=True)
class Above:
    """A categorical 1 where a numerical value is above a threshold (in tenths), else 0."""

    source: int
    threshold: int


Operation = Map | Pair | Width | Take | Mean | Number | Combine | Above
OPERATIONS = {kind.__name__.lower(): kind for kind in (Map, Pair, Width, Take, Mean, Number, Combine, Above)}
NUMERICAL = (Mean, Number, Combine)  # what they give
# Above so many inputs in all, some of each length are drawn.
ALL, OF_A_LENGTH = 400, 24
READ_AS_INPUT = ("source", "first", "second", "keys", "queries", "values")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A program as data. Errors: TC130 (an input does not exist, or has the wrong kind)."""

    n_tokens: int
    max_seq_len: int
    causal: bool = False
    mixed: bool = False
    operations: tuple[Operation, ...]

    def __post_init__(self) -> None:
        if self.n_tokens < 1 or self.max_seq_len < 1 or not self.operations:
            raise _bad("an empty recipe", self, "at least one token, one place and one operation")
        for number, operation in enumerate(self.operations):
            for name, value in inputs_of(operation).items():
                if not 0 <= value < 2 + number:
                    what = f"operation {number} reads what is not made before it"
                    raise _bad(what, f"{name} {value}", f"0 to {1 + number}")
                wants = isinstance(operation, (Combine, Above))
                if self.is_numerical(value) != wants:
                    raise _bad(f"operation {number} reads a value of the wrong sort", f"{name} {value}",
                               "a numerical value" if wants else "a categorical value")  # fmt: skip

    def is_numerical(self, index: int) -> bool:
        return index >= 2 and isinstance(self.operations[index - 2], NUMERICAL)


def inputs_of(operation: Operation) -> dict[str, int]:
    """Field -> index."""
    return {f.name: getattr(operation, f.name) for f in fields(operation) if f.name in READ_AS_INPUT}


# As a program -------------------------------------------------------------------------------------------


def program(recipe: Recipe, name: str = "recipe") -> Program:
    """The program; expressions are named after their operation, and `build` makes new ones at each call."""

    def build() -> rasp.SOp:
        made: list[rasp.SOp] = [rasp.tokens, rasp.indices]
        for number, operation in enumerate(recipe.operations):
            made.append(_sop(operation, made, f"step_{number}", recipe.mixed).named(f"step_{number}"))
        return made[-1]

    tokens = [_spelled(token, recipe.mixed) for token in range(recipe.n_tokens)]
    return Program(
        name=name,
        build=build,
        vocab=frozenset(tokens),
        max_seq_len=recipe.max_seq_len,
        causal=recipe.causal,
        inputs=some_inputs(tokens, recipe.max_seq_len),
    )


def some_inputs(tokens: Sequence[Any], longest: int) -> list[list[Any]] | None:
    """Lists of each length, drawn with a fixed seed: each one of a single token, and so on while there are few; None: all."""
    if sum(len(tokens) ** n for n in range(1, longest + 1)) <= ALL:
        return None
    rng, found = random.Random(0), []
    for n in range(1, longest + 1):
        if len(tokens) ** n <= OF_A_LENGTH:
            found += [list(one) for one in itertools.product(tokens, repeat=n)]
        else:
            found += [rng.choices(tokens, k=n) for _ in range(OF_A_LENGTH)]
    return found


def _spelled(value: int, mixed: bool) -> int | str:
    return str(value) if mixed and value % 2 else value


def _sop(operation: Operation, made: Sequence[rasp.SOp], name: str, mixed: bool) -> rasp.SOp:
    match operation:
        case Map(source, table):
            return rasp.Map(lambda x: _spelled(_at(table, x), mixed), made[source])
        case Pair(first, second, grid):
            return rasp.SequenceMap(lambda x, y: _at(_at(grid, x), y), made[first], made[second])
        case Width():
            return rasp.SelectorWidth(_select(operation, made))
        case Take():
            return rasp.Aggregate(_select(operation, made), made[operation.values], default=None)
        case Mean(values=values, table=table):
            ones = rasp.numerical(rasp.Map(lambda x: _at(table, x), made[values])).named(f"{name}_ones")
            return rasp.numerical(rasp.Aggregate(_select(operation, made), ones, default=0))
        case Number(source, table):
            return rasp.numerical(rasp.Map(lambda x: _at(table, x) / 10, made[source]))
        case Combine(first, second, (one, other)):
            return rasp.numerical(rasp.LinearSequenceMap(made[first], made[second], one / 10, other / 10))
        case Above(source, threshold):
            return rasp.categorical(rasp.Map(lambda x: int(x > threshold / 10), made[source]))
    raise AssertionError(operation)


def _at(table: Sequence[Any], x: Any) -> Any:
    return table[int(x) % len(table)]


def _select(operation: Selection, made: Sequence[rasp.SOp]) -> rasp.Select:
    by = operation.by
    predicate = COMPARISONS[by] if isinstance(by, str) else lambda key, query: bool(_at(_at(by, query), key))
    return rasp.Select(made[operation.keys], made[operation.queries], predicate)


# As JSON ------------------------------------------------------------------------------------------------


def to_json(recipe: Recipe) -> dict[str, Any]:
    return {
        "n_tokens": recipe.n_tokens,
        "max_seq_len": recipe.max_seq_len,
        "causal": recipe.causal,
        **({"mixed": True} if recipe.mixed else {}),
        "operations": [
            {"op": type(o).__name__.lower()} | {f.name: _listed(getattr(o, f.name)) for f in fields(o)}
            for o in recipe.operations
        ],
    }


def from_json(record: Any) -> Recipe:
    """The recipe of `to_json`. Errors: TC130."""
    try:
        return Recipe(
            n_tokens=_whole(record["n_tokens"]),
            max_seq_len=_whole(record["max_seq_len"]),
            causal=bool(record["causal"]),
            mixed=bool(record.get("mixed", False)),
            operations=tuple(_operation(dict(o)) for o in record["operations"]),
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise _bad(
            "no recipe", f"{type(error).__name__}: {error}", "the JSON that `tracrcheck fuzz --save` writes"
        ) from None


def _operation(record: dict[str, Any]) -> Operation:
    op = record.pop("op")
    if op not in OPERATIONS:
        raise _bad(f"no operation '{op}'", op, did_you_mean(str(op), OPERATIONS))
    kind: Any = OPERATIONS[op]
    readers = {"int": _whole, "Table": _table, "Grid": _grid, "tuple[int, ...]": _table, "str | Grid": _by}
    hints = {f.name: f.type for f in fields(kind)}
    if set(hints) != set(record):
        raise _bad(f"the fields of '{op}'", sorted(record), sorted(hints))
    made = kind(**{name: readers[str(hint)](record[name]) for name, hint in hints.items()})
    if isinstance(made, Combine) and len(made.factors) != 2:
        raise _bad("the factors of 'combine'", made.factors, "two")
    return made


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _table(value: Any) -> Table:
    return tuple(map(_whole, _filled(value)))


def _grid(value: Any) -> Grid:
    return tuple(map(_table, _filled(value)))


def _filled(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise TypeError(f"{value!r} is no list of whole numbers, or of such lists")
    return value


def _by(value: Any) -> str | Grid:
    if not isinstance(value, str):
        return _grid(value)
    if value not in COMPARISONS:
        raise _bad(f"no comparison '{value}'", value, did_you_mean(value, COMPARISONS))
    return value


def _listed(value: Any) -> Any:
    return [_listed(v) for v in value] if isinstance(value, tuple) else value


def _bad(what: str, got: Any, wanted: Any) -> CheckError:
    return user_error("TC130", what, got=got, wanted=wanted)
