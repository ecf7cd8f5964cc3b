"""A prompt task: an endless, seeded stream of pairs of a clean and a corrupted prompt, with the answers.

To add one: a file here with a frozen record of this Protocol, and a row in the table of `__init__.py`. The
contract suite (`tests/edgeprune_core/tasks/`) then holds it to its split, its tokens and its seed.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from edgeprune_core.error_codes import user_error
from edgeprune_core.tasks.tokenizer import Tokenizer

Split = Literal["train", "held_out"]
SPLITS: tuple[Split, ...] = ("train", "held_out")
# Draws in a row that may belong to the other split. With four keys, a pair is in `held_out` once in 625 draws.
PATIENCE = 20_000
HELD_OUT = 0.2  # share of all (template, key) pairs: leaves enough to train on and enough to measure on


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A clean prompt, a corrupted one with as many tokens, and the right and wrong continuations of the clean one.

    answers:           texts that continue `clean`, each a single token, any of which is right.
    foils:             likewise, wrong: a logit difference is taken against them. May be none.
    corrupted_answers: what is right after `corrupted`; () where nothing is, None where it is not known.
    template, keys:    the frame, and what fills it: no (template, key) is in both splits.
    where:             file and line, for errors.
    """

    clean: str
    corrupted: str
    answers: tuple[str, ...]
    foils: tuple[str, ...] = ()
    corrupted_answers: tuple[str, ...] | None = None
    template: str = ""
    keys: tuple[str, ...] = ()
    where: str = ""


class PromptSource(Protocol):
    """name: the task's name. texts: prompts with answers that contain every piece of text the task can produce."""

    @property
    def name(self) -> str: ...
    def draw(self, rng: random.Random) -> Pair: ...
    def texts(self) -> Iterator[str]: ...


@runtime_checkable
class Fitted(Protocol):
    """A source that asks otherwise where a tokenizer cuts its answers into several tokens."""

    def fitted(self, tokenizer: Tokenizer) -> PromptSource: ...


def fitted(source: PromptSource, tokenizer: Tokenizer) -> PromptSource:
    """The source in the form that suits the tokenizer."""
    return source.fitted(tokenizer) if isinstance(source, Fitted) else source


def pairs(source: PromptSource, *, seed: int, split: Split = "train") -> Iterator[Pair]:
    """An endless stream of pairs of one split, drawn with replacement; a seed gives the same pairs on any machine.

    Errors: EP186, where the split seems to be empty.
    """
    rng = random.Random(f"{source.name}/{split}/{seed}")
    missed = 0
    while missed < PATIENCE:
        pair = source.draw(rng)
        missed += 1
        if all(split_of(source.name, pair.template, key) == split for key in pair.keys):
            missed = 0
            yield pair
    raise user_error("EP186", where=source.name, got=f"none in {PATIENCE:,} draws", split=split)


def split_of(task: str, template: str, key: str) -> Split:
    """The split of a template filled with a key: decided by a hash, whatever the seed."""
    digest = hashlib.sha256("\n".join((task, template, key)).encode()).digest()
    return "held_out" if int.from_bytes(digest[:8], "big") < HELD_OUT * 2**64 else "train"


def together(*names: str) -> str:
    """A key of several names, whatever their order."""
    return "+".join(sorted(names))
