"""Induction: random words, and then the first few of them again: " ring, map, park, hat, ... ring, map," -> " park".

Repeated random tokens, as of Olsson et al. 2022 (arXiv 2209.11895): what follows can only be known from the first time. The
words are those of our other tasks, of which each is one token in most vocabularies, and stand in a list, without which small
models expect a sentence. In the corrupted prompt other words come first, so that the last ones are new, and nothing is right.
The foils are the other words of the first time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from edgeprune_core.tasks.base import Pair
from edgeprune_core.tasks.greater_than import NOUNS
from edgeprune_core.tasks.ioi import PLACES, THINGS

WORDS = tuple(sorted({*NOUNS, *PLACES, *THINGS}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Induction:
    """words: how many come before the repetition. repeated: how many of them are said again, from the first on."""

    words: int = 12
    repeated: tuple[int, ...] = (5, 6, 7, 8, 9)
    name: str = "induction"

    def draw(self, rng: random.Random) -> Pair:
        drawn, n = rng.sample(WORDS, 2 * self.words), rng.choice(self.repeated)
        first, other = drawn[: self.words], drawn[self.words :]
        again, answer = first[:n], first[n]
        return Pair(
            clean=_text(first + again),
            corrupted=_text(other + again),
            answers=(f" {answer}",),
            foils=tuple(f" {word}" for word in first if word != answer),
            corrupted_answers=(),
            template=f"{self.words} words, {n} again",
            keys=(f"{again[-1]}+{answer}",),
        )

    def texts(self) -> Iterator[str]:
        yield _text(WORDS)


def _text(words: tuple[str, ...] | list[str]) -> str:
    """Each with a space before it, the first one too: so it is the same token wherever it stands."""
    return "".join(f" {word}," for word in words)
