"""The domain: every legal token list of length 1..max_seq_len, shortest first."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tracrcheck.error_codes import user_error
from tracrcheck.program import Program, Token

# Above this size, a domain (or a list of pairs) is sampled, deterministically, and reported as a sample.
WHOLE = 20_000
_SEED = 20_240_624  # of the sample; any fixed number would do


@dataclass(frozen=True)
class Domain:
    """The legal token lists. `sampled`: how many there are in all if these are a sample, else None."""

    inputs: tuple[tuple[Token, ...], ...]
    sampled: int | None = None

    def of_lengths(self, shortest: int, longest: int) -> Domain:
        kept = tuple(x for x in self.inputs if shortest <= len(x) <= longest)
        return Domain(kept, self.sampled)


def token_order(vocab: Sequence[Token]) -> list[Token]:
    """Tokens in an order that does not depend on the hash seed: by value if they compare, else as text."""
    try:
        return sorted(vocab)
    except TypeError:
        return sorted(vocab, key=lambda t: (type(t).__name__, str(t)))


def domain_of(program: Program) -> Domain:
    """The program's domain. Errors: TC105 (empty, or its predicate raises)."""
    vocab = token_order(list(program.vocab))
    sizes = [len(vocab) ** n for n in range(1, program.max_seq_len + 1)]
    sampled = None
    if sum(sizes) <= WHOLE:
        lists: Iterator[tuple[Token, ...]] = _all_lists(vocab, program.max_seq_len)
    else:
        sampled = sum(sizes)
        lists = iter(_sample(vocab, sizes))
    inputs = tuple(x for x in lists if _legal(program, x))
    if not inputs:
        raise user_error(
            "TC105.predicate",
            got=f"no token list of length 1-{program.max_seq_len} over {vocab} is legal",
            program=program.name,
        )
    return Domain(inputs, sampled)


def _all_lists(vocab: Sequence[Token], longest: int) -> Iterator[tuple[Token, ...]]:
    for n in range(1, longest + 1):
        yield from itertools.product(vocab, repeat=n)


def _sample(vocab: Sequence[Token], sizes: list[int]) -> list[tuple[Token, ...]]:
    """All short lists, and an equal share of the remaining sample for each longer length."""
    rng = random.Random(_SEED)
    lists: list[tuple[Token, ...]] = []
    for n, size in enumerate(sizes, start=1):
        share = (WHOLE - len(lists)) // (len(sizes) - n + 1)
        if size <= share:
            lists += itertools.product(vocab, repeat=n)
        else:
            picked = {tuple(rng.choice(vocab) for _ in range(n)) for _ in range(share)}
            lists += sorted(picked, key=lambda x: [vocab.index(t) for t in x])
    return lists


def _legal(program: Program, tokens: tuple[Token, ...]) -> bool:
    if program.domain is None:
        return True
    try:
        return bool(program.domain(list(tokens)))
    except Exception as error:
        raise user_error(
            "TC105.raises", got=f"{list(tokens)}: {error}", program=program.name, error=type(error).__name__
        ) from error
