"""The domain: the legal token lists of length 1..max_seq_len, shortest first; all of them, or a sample by length.

Where they come from, in this order: `Program.inputs`; every list over the vocabulary, if they are few enough; without a
`domain` predicate, a random sample of them; else the search of `legal_lists.py`.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from edgeprune_core.errors import CheckError
from tracrcheck.error_codes import user_error
from tracrcheck.program import Program, Token, Tokens
from tracrcheck.rasp.legal_lists import Found, search

# Above this size, a domain (or a list of pairs) is sampled, deterministically, and reported as a sample.
WHOLE = 20_000
# The most inputs, or pairs of them, that fit into memory with what is computed of each.
MOST_HELD = 2_000_000
# Lists that a callable `Program.inputs` may yield for each that is wanted: it may repeat itself.
DRAWS = 5
_SEED = 20_240_624  # of the sample; any fixed number would do

Total = int | Literal["unknown"]  # how many legal lists (or pairs of them) there are


@dataclass(frozen=True)
class Domain:
    """The legal token lists.

    missing: length -> how many legal lists of it there are, for the lengths of which `inputs` holds a sample; None where
             that is unknown.
    found:   how they were found, if not by trying every list; an empty text else.
    most:    the limit above which it would be a sample; None for none.
    """

    inputs: tuple[Tokens, ...]
    missing: Mapping[int, int | None] = field(default_factory=dict)
    found: str = ""
    most: int | None = WHOLE

    @property
    def totals(self) -> dict[int, int | None]:
        """Length -> how many legal lists of it there are; None where that is unknown."""
        counts: dict[int, int | None] = {}
        for tokens in self.inputs:
            counts[len(tokens)] = (counts.get(len(tokens)) or 0) + 1
        return counts | dict(self.missing)

    @property
    def sampled(self) -> Total | None:
        """How many legal lists there are if these are a sample of them, else None."""
        return total_of(self.totals.values()) if self.missing else None

    def of_lengths(self, shortest: int, longest: int) -> Domain:
        kept = tuple(x for x in self.inputs if shortest <= len(x) <= longest)
        missing = {n: total for n, total in self.missing.items() if shortest <= n <= longest}
        return replace(self, inputs=kept, missing=missing)


def total_of(counts: Iterable[int | None]) -> Total:
    """Their sum; unknown if one of them is."""
    known = list(counts)
    return "unknown" if None in known else sum(n for n in known if n is not None)


def in_all(total: Total | None) -> str:
    return f"{total:,} in all" if isinstance(total, int) else "an unknown number"


def token_order(vocab: Sequence[Token]) -> list[Token]:
    """Tokens in an order that does not depend on the hash seed: by value if they compare, else as text."""
    try:
        return sorted(vocab)
    except TypeError:
        return sorted(vocab, key=lambda t: (type(t).__name__, str(t)))


def domain_of(program: Program, most: int | None = WHOLE) -> Domain:
    """The program's domain. most: inputs above which it is sampled; None for never.

    Errors: TC105 (empty, too large, a predicate or `inputs` that raises, an input that does not fit).
    """
    vocab = token_order(list(program.vocab))
    limit = MOST_HELD if most is None else most
    sizes = [len(vocab) ** n for n in range(1, program.max_seq_len + 1)]
    if program.inputs is not None:
        domain = _handed(program, vocab, limit)
    elif sum(sizes) <= limit:
        domain = Domain(tuple(x for x in _all_lists(vocab, program.max_seq_len) if _legal(program, x)))
    elif program.domain is None and most is None:
        raise too_many(program, sum(sizes))
    elif program.domain is None:
        domain = _sample(vocab, sizes, limit)
    else:
        found = search(lambda x: _legal(program, x), vocab, program.max_seq_len, limit)
        domain = _thinned(found, vocab, limit)
    if not domain.inputs:
        raise _empty(program, vocab, domain)
    if most is None and domain.missing:
        raise too_many(program, domain.sampled)
    return replace(domain, most=most)


def too_many(program: Program, total: Total | None) -> CheckError:
    """The error where all are wanted, and there are more than fit."""
    got = f"{total:,}" if isinstance(total, int) else "an unknown number"
    return user_error("TC105.many", got=got, wanted=f"at most {MOST_HELD:,}", program=program.name)


def _empty(program: Program, vocab: Sequence[Token], domain: Domain) -> CheckError:
    if program.inputs is not None:
        return user_error("TC105.none", got="`inputs` gives no token list", program=program.name)
    if domain.found:
        return user_error("TC105.rare", got=domain.found, program=program.name)
    got = f"no token list of length 1-{program.max_seq_len} over {vocab} is legal"
    return user_error("TC105.predicate", got=got, program=program.name)


def _all_lists(vocab: Sequence[Token], longest: int) -> Iterator[Tokens]:
    for n in range(1, longest + 1):
        yield from itertools.product(vocab, repeat=n)


def _sample(vocab: Sequence[Token], sizes: list[int], most: int) -> Domain:
    """All short lists, and an equal share of the remaining sample for each longer length."""
    rng = random.Random(_SEED)
    lists: list[Tokens] = []
    missing: dict[int, int | None] = {}
    for n, size in enumerate(sizes, start=1):
        share = (most - len(lists)) // (len(sizes) - n + 1)
        if size <= share:
            lists += itertools.product(vocab, repeat=n)
        else:
            missing[n] = size
            lists += _in_order({tuple(rng.choice(vocab) for _ in range(n)) for _ in range(share)}, vocab)
    return Domain(tuple(lists), missing)


def _in_order(lists: Iterable[Tokens], vocab: Sequence[Token]) -> list[Tokens]:
    """By length, then in the order of the vocabulary."""
    place = {token: i for i, token in enumerate(vocab)}
    return sorted(lists, key=lambda x: (len(x), [place[t] for t in x]))


def _thinned(found: Found, vocab: Sequence[Token], most: int) -> Domain:
    """At most so many of the lists found: lengths with few lists whole, and equal shares of the others."""
    rng = random.Random(_SEED)
    missing: dict[int, int | None] = {n: total for n, total in found.totals.items() if total is None}
    kept: list[Tokens] = []
    by_count = sorted(found.lists.items(), key=lambda item: len(item[1]))
    for done, (n, lists) in enumerate(by_count):
        share = (most - len(kept)) // (len(by_count) - done)
        if len(lists) > share:
            missing[n] = found.totals[n]
            lists = rng.sample(lists, share)
        kept += lists
    return Domain(tuple(_in_order(kept, vocab)), dict(sorted(missing.items())), found.how)


def _legal(program: Program, tokens: Tokens) -> bool:
    if program.domain is None:
        return True
    try:
        return bool(program.domain(list(tokens)))
    except Exception as error:
        raise user_error(
            "TC105.raises", got=f"{list(tokens)}: {error}", program=program.name, error=type(error).__name__
        ) from error


# Inputs that the program hands over --------------------------------------------------------------------------


def _handed(program: Program, vocab: Sequence[Token], most: int) -> Domain:
    """`Program.inputs`: all legal lists, or a callable that yields random ones from a generator."""
    drawn = callable(program.inputs)
    limit = DRAWS * most if drawn else math.inf if isinstance(program.inputs, Sized) else MOST_HELD
    seen: dict[Tokens, None] = {}
    tries = 0
    for given in _given(program):
        if tries == limit and not drawn:
            got, wanted = f"more than {limit:,} lists", f"a list, or a generator of at most {limit:,}"
            raise user_error("TC105.endless", got=got, wanted=wanted, program=program.name)
        tries += 1
        seen[_checked(program, given, vocab)] = None
        if drawn and (len(seen) == most or tries == limit):
            break
    lists: dict[int, list[Tokens]] = {}
    for tokens in seen if drawn else _in_order(seen, vocab):
        lists.setdefault(len(tokens), []).append(tokens)
    how = f"{len(seen):,} different lists in {tries:,} that `inputs` drew" if drawn else ""
    totals = {n: None if drawn else len(alike) for n, alike in lists.items()}
    return _thinned(Found(lists, totals, how), vocab, most)


def _given(program: Program) -> Iterator[Sequence[Token]]:
    """What `Program.inputs` gives, one by one. Errors: TC105 (it raises, or is nothing that can be iterated over)."""
    source: Any = program.inputs
    n = 0
    try:
        if callable(source):
            source = source(random.Random(_SEED))
        if source is None or not hasattr(type(source), "__iter__"):
            got = f"{source!r}{' from the function' if callable(program.inputs) else ''}"
            raise user_error("TC105.handed", got=got, wanted="token lists", program=program.name)
        for tokens in source:
            n += 1
            yield tokens
    except CheckError:
        raise
    except Exception as error:
        got = f"{error}, after {n:,} token list{'' if n == 1 else 's'}"
        raise user_error("TC105.inputs", got=got, program=program.name, error=type(error).__name__) from error


def _checked(program: Program, given: Sequence[Token], vocab: Sequence[Token]) -> Tokens:
    """One input as a tuple. Errors: TC105 (no list, a length or a token that does not fit, not legal by `domain`)."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise user_error("TC105.handed", got=repr(given), wanted="token lists", program=program.name)
    tokens = tuple(given)
    if not 1 <= len(tokens) <= program.max_seq_len:
        wanted = f"a length of 1-{program.max_seq_len}"
    elif strange := [t for t in tokens if t not in vocab]:
        wanted = f"tokens of the vocabulary, unlike {strange[0]!r}"
    elif not _legal(program, tokens):
        wanted = "lists that `domain` accepts"
    else:
        return tokens
    raise user_error("TC105.handed", got=list(tokens), wanted=wanted, program=program.name)
