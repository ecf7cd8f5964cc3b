"""Small RASP expressions, from which the programs of the faults are made."""

from __future__ import annotations

from tracr.rasp.rasp import (
    Aggregate,
    Comparison,
    Map,
    Select,
    SelectorWidth,
    SequenceMap,
    SOp,
    categorical,
    numerical,
    tokens,
)


def selecting(predicate, keys: SOp = tokens, queries: SOp = tokens) -> Select:
    return Select(keys, queries, predicate)


EVERYTHING, NOTHING, EQUAL = Comparison.TRUE, Comparison.FALSE, Comparison.EQ


def nothing() -> SOp:
    return Aggregate(selecting(NOTHING), tokens)  # None at every position


def length() -> SOp:
    return SelectorWidth(selecting(EVERYTHING))


def same(sop: SOp, function=lambda value: value) -> Map:
    return Map(function, sop, simplify=False)


def mean_of_x() -> SOp:
    return numerical(Aggregate(selecting(EVERYTHING), numerical(tokens == "x"), default=0))


def mean_of_ones(predicate) -> SOp:
    return numerical(Aggregate(selecting(predicate), numerical(same(tokens, lambda token: 1)), default=0))


def default_of_a_shifted_mean() -> SOp:
    shifted = numerical(same(mean_of_ones(EVERYTHING), lambda mean: 2 - mean))
    return numerical(Aggregate(selecting(NOTHING), shifted, default=0))


def one_label_two_encodings() -> SOp:
    width = numerical(length())
    _ = width.label  # what compiling, or printing the label, does
    return SequenceMap(lambda number, symbol: symbol, width == 1, categorical(width) == 1)


def hidden_from_the_validator() -> SOp:
    number = numerical(tokens)
    return SequenceMap(lambda token, same: same, tokens, Map(lambda token: token, number))


def diamonds(depth: int) -> SOp:
    sop: SOp = tokens
    for _ in range(depth):
        sop = SequenceMap(lambda x, y: (x + y) % 2, sop, Map(lambda x: x, sop))
    return sop


def late_digits() -> SOp:
    digits = [Map(lambda x: x // 10**d % 10, tokens) for d in (0, 1)]  # noqa: B023 - the fault
    return SequenceMap(lambda a, b: a + b, *digits)


def chained_comparison() -> SOp:
    return 0 < tokens < 3  # type: ignore[return-value, operator]
