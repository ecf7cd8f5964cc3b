"""Finds legal token lists where the lists over the vocabulary are too many to be tried one by one.

A domain is *prefix-closed* if a legal list stays legal when its end is cut off. Then every legal list is found, and
counted, by extending shorter legal lists. A predicate cannot be proved to be prefix-closed, but a counter-example can be
looked for: among all short lists, among random long ones, and a few tokens beyond legal ones. If there is one, long lists
are drawn at random and kept if legal; how many legal ones there are is then unknown.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tracrcheck.program import Token, Tokens

# Lists tried one by one, from the shortest on.
SHORT = 20_000
# Lists tried by extending legal ones; above it, a random part of them is extended.
EXTENDED = 400_000
PART = 2_000  # of one length
# Random lists: of one length at most, and of all lengths together. A second or two.
TRIES = 100_000
ALL_TRIES = 500_000
TRIES_CLOSED = 1_000  # of one length, in the search for a counter-example
BEYOND = 4  # tokens beyond a legal list
_SEED = 20_240_624  # any fixed number would do

Legal = Callable[[Tokens], bool]


@dataclass(frozen=True)
class Found:
    """Legal lists by length, how many of that length there are (None: unknown), and how they were found, in words."""

    lists: dict[int, list[Tokens]]
    totals: dict[int, int | None]
    how: str


def search(legal: Legal, vocab: Sequence[Token], longest: int, most: int) -> Found:
    """Legal lists of length 1..longest. most: lists that are wanted, in equal shares of the lengths."""
    short = _short(legal, vocab, longest)
    rng = random.Random(_SEED)
    if _closed(short) and not any(_refutes(legal, x) for x in _random_lists(vocab, short, longest, rng)):
        found = _extended(legal, vocab, longest, rng)
        beyond = _beyond(found, vocab, longest, rng)
        if any(found.lists.values()) and not any(_refutes(legal, x) for x in beyond):
            return found
    return _rejected(legal, vocab, short, longest, most, rng)


def _short(legal: Legal, vocab: Sequence[Token], longest: int) -> dict[int, list[Tokens]]:
    """Every legal list of the lengths at which all lists can be tried."""
    found: dict[int, list[Tokens]] = {}
    tried = 0
    for n in range(1, longest + 1):
        tried += len(vocab) ** n
        if tried > SHORT:
            break
        found[n] = [x for x in itertools.product(vocab, repeat=n) if legal(x)]
    return found


# Prefix-closed ---------------------------------------------------------------------------------------------


def _closed(short: dict[int, list[Tokens]]) -> bool:
    known = {(), *itertools.chain.from_iterable(short.values())}
    return all(x[:-1] in known for x in known if x)


def _refutes(legal: Legal, tokens: Tokens) -> bool:
    """Whether it is legal while something that it begins with is not."""
    return legal(tokens) and not all(legal(tokens[:n]) for n in range(1, len(tokens)))


def _random_lists(
    vocab: Sequence[Token], short: dict[int, list[Tokens]], longest: int, rng: random.Random
) -> Iterator[Tokens]:
    for n in range(len(short) + 1, longest + 1):
        for _ in range(TRIES_CLOSED):
            yield tuple(rng.choices(vocab, k=n))


def _beyond(found: Found, vocab: Sequence[Token], longest: int, rng: random.Random) -> Iterator[Tokens]:
    """Legal lists with random tokens after them."""
    for n, lists in found.lists.items():
        if lists and n < longest:
            for start in rng.choices(lists, k=TRIES_CLOSED):
                more = rng.randint(1, min(BEYOND, longest - n))
                yield (*start, *rng.choices(vocab, k=more))


def _extended(legal: Legal, vocab: Sequence[Token], longest: int, rng: random.Random) -> Found:
    lists: dict[int, list[Tokens]] = {}
    totals: dict[int, int | None] = {}
    level: list[Tokens] = [()]
    tried, counted = 0, True
    for n in range(1, longest + 1):
        if tried + len(level) * len(vocab) > EXTENDED:
            counted = False
            level = rng.sample(level, min(PART, len(level)))
        tried += len(level) * len(vocab)
        level = [longer for x in level for token in vocab if legal(longer := (*x, token))]
        lists[n], totals[n] = level, len(level) if counted else None
    return Found(lists, totals, "by extending shorter legal lists")


# Not prefix-closed -------------------------------------------------------------------------------------------


def _rejected(
    legal: Legal,
    vocab: Sequence[Token],
    short: dict[int, list[Tokens]],
    longest: int,
    most: int,
    rng: random.Random,
) -> Found:
    """Random lists that are legal, until each length has its share or has been tried often enough."""
    lists, totals = dict(short), {n: len(x) for n, x in short.items()}
    shares, tried = max(1, most // longest), 0
    tries = min(TRIES, ALL_TRIES // max(1, longest - len(short)))
    for n in range(len(short) + 1, longest + 1):
        kept: dict[Tokens, None] = {}
        for _ in range(tries):
            tried += 1
            tokens = tuple(rng.choices(vocab, k=n))
            if legal(tokens):
                kept[tokens] = None
                if len(kept) == shares:
                    break
        lists[n] = list(kept)
    unknown = dict.fromkeys(range(len(short) + 1, longest + 1))
    n_kept = sum(len(lists[n]) for n in unknown)
    of = f"{len(short) + 1}-{longest}" if len(short) + 1 < longest else f"{longest}"
    how = f"of {tried:,} random lists of length {of}, {n_kept:,} different ones are legal"
    if not unknown:
        n_tried, n_legal = sum(len(vocab) ** n for n in short), sum(map(len, short.values()))
        how = f"of all {n_tried:,} lists of length 1-{longest}, {n_legal:,} are legal"
    return Found(lists, totals | unknown, how)
