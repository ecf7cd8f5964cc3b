"""Greater-than: "The war lasted from the year 1732 to the year 17" -> any of "33" to "99".

Hanna et al. 2023 (arXiv 2305.00586), section 2: centuries 11 to 17, last digits 02 to 98, and a corrupted prompt
whose first year ends in 01, after which (nearly) every year is right. The foils are the years up to and including
the first one: their probability is what the paper's measure subtracts. The nouns, all of things that last, are ours.

Some tokenizers cut a year into digits, so that the decade comes next. Hanna et al. 2024 (arXiv 2403.17806) score two positions
there: later decades are right, earlier ones wrong, and within the decade of the first year the next digit decides. We score
one: a digit is right if a later year begins with it. So the decade of the first year is right too, but not after a 9.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgeprune_core.errors import CheckError
from edgeprune_core.tasks.base import Pair
from edgeprune_core.tasks.tokenizer import Tokenizer

FRAME = "The {noun} lasted from the year {century}{first:02d} to the year {century}"
CENTURIES = range(11, 18)
NOUNS = (
    "war", "siege", "reign", "drought", "famine", "plague", "treaty", "trial", "conflict", "campaign", "expedition",
    "journey", "mission", "rebellion", "revolt", "truce", "voyage", "marriage", "project", "program", "dispute",
    "crisis", "occupation", "alliance", "blockade", "exile", "festival", "boom", "strike", "study",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GreaterThan:
    """digits: the answer is the digit of the decade, for tokenizers that cut numbers into digits."""

    name: str = "greater_than"
    digits: bool = False

    def fitted(self, tokenizer: Tokenizer) -> GreaterThan:
        """In the form that suits the tokenizer."""
        prompt = FRAME.format(noun=NOUNS[0], century=17, first=32)
        try:
            prompt_ids, whole = (list(tokenizer.encode(text)) for text in (prompt, f"{prompt}33"))
        except CheckError:  # it does not know these words at all: refused where the pairs are encoded
            return self
        return replace(self, digits=len(whole) == len(prompt_ids) + 2)

    def draw(self, rng: random.Random) -> Pair:
        noun, century = rng.choice(NOUNS), rng.choice(CENTURIES)
        first = rng.randrange(10 if self.digits else 2, 99)
        later, corrupted_later = (self._texts(range(n + 1, 100)) for n in (first, 1))
        return Pair(
            clean=FRAME.format(noun=noun, century=century, first=first),
            corrupted=FRAME.format(noun=noun, century=century, first=1),
            answers=later,
            foils=tuple(text for text in self._texts(range(first + 1)) if text not in later),
            corrupted_answers=corrupted_later,
            template=FRAME,
            keys=(f"{noun}+{century}{first:02d}",),
        )

    def texts(self) -> Iterator[str]:
        for noun in NOUNS:
            yield FRAME.format(noun=noun, century=11, first=1)
        for century in CENTURIES:
            for first in range(100):
                yield FRAME.format(noun="war", century=century, first=first) + f"{first:02d}"

    def _texts(self, years: range) -> tuple[str, ...]:
        """What comes next in these years."""
        return tuple(dict.fromkeys(f"{year:02d}"[: 1 if self.digits else 2] for year in years))
