"""The prompts of a task, by name or from a file of pairs: a training list, and a held-out list."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from edgeprune_core.errors import CheckError
from edgeprune_core.tasks import TASKS, Pair, pairs, read_pairs
from edgeprune_core.tasks.base import SPLITS, Split, fitted
from edgeprune_core.tasks.encode import encode
from edgeprune_core.tasks.tokenizer import Tokenizer
from tracrcheck.error_codes import user_error
from tracrcheck.trained.names import check_task
from tracrcheck.trained.packed import PackedPairs

# Give up on a task after this many unusable pairs in a row. If the tokenizer suits one pair in twenty, that happens
# once in 30,000.
PATIENCE = 200


# Whether the model leads with an answer, for each pair.
Leads = Callable[[Sequence[Pair]], list[bool]]
# With it, give up once this many times the wanted prompts were drawn.
DRAWN = 30
# How many of these are put to the model at once.
ASKED = 16


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Pairs, and how many of them were drawn: more, if only those were kept that the model leads on."""

    pairs: Sequence[Pair]
    drawn: int

    def sentence(self) -> str:
        """Of how many prompts these were kept."""
        return f"the model leads with an answer on {_share(self)} prompts"


@dataclass(frozen=True, kw_only=True)
class PromptLists:
    """train, held_out: for a named task they share no (template, names); for a file, no line. drawn: for each list."""

    train: Sequence[Pair]
    held_out: Sequence[Pair]
    drawn: tuple[int, int]

    def sentence(self) -> str:
        """Of how many prompts these were kept."""
        train, held_out = (
            Drawn(pairs=pairs, drawn=n)
            for pairs, n in zip((self.train, self.held_out), self.drawn, strict=True)
        )
        return f"{train.sentence()} to discover on, and on {_share(held_out)} to evaluate on"


def _share(found: Drawn) -> str:
    return f"{len(found.pairs):,} of {found.drawn:,} ({len(found.pairs) / found.drawn:.0%})"


def both_lists(
    task: str, tokenizer: Tokenizer, *, n: int, seed: int, leads: Leads | None = None
) -> PromptLists:
    """`n` prompts per list. A file's lines are dealt to the lists in turn, as far as they go; none is in both.

    leads: keeps those on which the model leads with an answer. Errors: TC171, TC172 (too few pairs), and those of
    `read_pairs` and `encode`.
    """
    if check_task(task) in TASKS:
        train, held_out = (
            _drawn(task, tokenizer, n=n, seed=seed, split=split, leads=leads) for split in SPLITS
        )
    else:
        train, held_out = (_of_file(task, part, leads) for part in _dealt(task, n))
    return PromptLists(train=train.pairs, held_out=held_out.pairs, drawn=(train.drawn, held_out.drawn))


def judging_list(task: str, tokenizer: Tokenizer, *, n: int, seed: int, leads: Leads | None = None) -> Drawn:
    """The held-out list of `both_lists`. Errors: as there."""
    if check_task(task) in TASKS:
        return _drawn(task, tokenizer, n=n, seed=seed, split="held_out", leads=leads)
    return _of_file(task, _dealt(task, n)[1], leads)


def _of_file(path: str, given: Sequence[Pair], leads: Leads | None) -> Drawn:
    if leads is None:
        return Drawn(pairs=given, drawn=len(given))
    return _right(path, given, len(given), leads, least=1)


def _dealt(path: str, n: int) -> tuple[Sequence[Pair], Sequence[Pair]]:
    """A file's pairs to discover on and to evaluate on. Errors: TC172, and those of `read_pairs`."""
    some = PackedPairs(islice(read_pairs(path), 2 * n))
    train = PackedPairs(islice(some, 0, None, 2))
    seen = set(map(_content, train))
    held_out = PackedPairs(pair for pair in islice(some, 1, None, 2) if _content(pair) not in seen)
    if not held_out:
        raise user_error(
            "TC172.single",
            where=path,
            got="1 pair" if len(some) < 2 else f"{len(some)} pairs, every second of which repeats another",
        )
    return train, held_out


def _content(pair: Pair) -> bytes:
    """Stands for a pair without its place in the file."""
    return hashlib.blake2b(repr(replace(pair, where="")).encode(), digest_size=16).digest()


def _drawn(task: str, tokenizer: Tokenizer, *, n: int, seed: int, split: Split, leads: Leads | None) -> Drawn:
    source = fitted(TASKS[task], tokenizer)
    fitting = _fitting(task, pairs(source, seed=seed, split=split), tokenizer)
    if leads is None:
        return Drawn(pairs=PackedPairs(islice(fitting, n)), drawn=n)
    return _right(task, islice(fitting, DRAWN * n), n, leads, least=n)


def _right(task: str, given: Iterable[Pair], n: int, leads: Leads, *, least: int) -> Drawn:
    """The first `n` of these pairs that the model leads on. Errors: TC172 (fewer than `least`)."""
    drawn = 0

    def right() -> Iterator[Pair]:
        nonlocal drawn
        rest = iter(given)
        while some := tuple(islice(rest, ASKED)):
            for pair, lead in zip(some, leads(some), strict=True):
                drawn += 1
                if lead:
                    yield pair

    found = PackedPairs(islice(right(), n))
    if len(found) < least:
        raise user_error(
            "TC172.wrong", where="--only-right", got=f"{len(found)} of {drawn:,}", task=task, n=least
        )
    return Drawn(pairs=found, drawn=drawn)


def _fitting(task: str, drawn: Iterator[Pair], tokenizer: Tokenizer) -> Iterator[Pair]:
    """Pairs that the tokenizer splits into equal lengths and one-token answers. Errors: TC172 (hardly any)."""
    missed = 0
    for pair in drawn:
        try:
            encode(pair, tokenizer)
        except CheckError as error:
            missed += 1
            if missed > PATIENCE:
                raise user_error(
                    "TC172.tokenizer",
                    where="--task",
                    got=f"{error.code} {error.what}: {error.got}",
                    task=task,
                ) from None
            continue
        missed = 0
        yield pair
