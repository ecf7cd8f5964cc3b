"""The prompts of a task, by name or from a file of pairs: a training list, and a held-out list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from edgeprune_core.errors import CheckError
from edgeprune_core.tasks import TASKS, Pair, pairs, read_pairs
from edgeprune_core.tasks.base import Split
from edgeprune_core.tasks.encode import encode
from edgeprune_core.tasks.tokenizer import Tokenizer
from tracrcheck.error_codes import user_error
from tracrcheck.trained.names import check_task

# Give up on a task after this many unusable pairs in a row. If the tokenizer suits one pair in twenty, that happens
# once in 30,000.
PATIENCE = 200


@dataclass(frozen=True, kw_only=True)
class PromptLists:
    """train, held_out: for a named task they share no (template, names); for a file, no line."""

    train: tuple[Pair, ...]
    held_out: tuple[Pair, ...]


def both_lists(task: str, tokenizer: Tokenizer, *, n: int, seed: int) -> PromptLists:
    """`n` prompts per list. A file's lines are dealt to the lists in turn, as far as they go; none is in both.

    Errors: TC171, TC172 (too few pairs), and those of `read_pairs` and `encode`.
    """
    if check_task(task) in TASKS:
        return PromptLists(
            train=_drawn(task, tokenizer, n=n, seed=seed, split="train"),
            held_out=_drawn(task, tokenizer, n=n, seed=seed, split="held_out"),
        )
    some = tuple(islice(read_pairs(task), 2 * n))
    train = some[::2]
    seen = {_content(pair) for pair in train}
    held_out = tuple(pair for pair in some[1::2] if _content(pair) not in seen)
    if not held_out:
        raise user_error(
            "TC172.single",
            where=task,
            got="1 pair" if len(some) < 2 else f"{len(some)} pairs, every second of which repeats another",
        )
    return PromptLists(train=train, held_out=held_out)


def judging_list(task: str, tokenizer: Tokenizer, *, n: int, seed: int) -> tuple[Pair, ...]:
    """The held-out list of `both_lists`. Errors: as there."""
    if check_task(task) in TASKS:
        return _drawn(task, tokenizer, n=n, seed=seed, split="held_out")
    return both_lists(task, tokenizer, n=n, seed=seed).held_out


def _content(pair: Pair) -> Pair:
    """A pair without its place in the file."""
    return replace(pair, where="")


def _drawn(task: str, tokenizer: Tokenizer, *, n: int, seed: int, split: Split) -> tuple[Pair, ...]:
    return tuple(islice(_fitting(task, pairs(TASKS[task], seed=seed, split=split), tokenizer), n))


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
