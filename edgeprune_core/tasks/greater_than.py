"""Greater-than: "The war lasted from the year 1732 to the year 17" -> any of "33" to "99".

Hanna et al. 2023 (arXiv 2305.00586), section 2: centuries 11 to 17, last digits 02 to 98, and a corrupted prompt
whose first year ends in 01, after which (nearly) every year is right. The foils are the years up to and including
the first one: their probability is what the paper's measure subtracts. The nouns, all of things that last, are ours.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from edgeprune_core.tasks.base import Pair

FRAME = "The {noun} lasted from the year {century}{first:02d} to the year {century}"
CENTURIES = range(11, 18)
NOUNS = (
    "war", "siege", "reign", "drought", "famine", "plague", "treaty", "trial", "conflict", "campaign", "expedition",
    "journey", "mission", "rebellion", "revolt", "truce", "voyage", "marriage", "project", "program", "dispute",
    "crisis", "occupation", "alliance", "blockade", "exile", "festival", "boom", "strike", "study",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GreaterThan:
    name: str = "greater_than"

    def draw(self, rng: random.Random) -> Pair:
        noun, century, first = rng.choice(NOUNS), rng.choice(CENTURIES), rng.randrange(2, 99)
        return Pair(
            clean=FRAME.format(noun=noun, century=century, first=first),
            corrupted=FRAME.format(noun=noun, century=century, first=1),
            answers=_years(first + 1, 100),
            foils=_years(0, first + 1),
            corrupted_answers=_years(2, 100),
            template=FRAME,
            keys=(f"{noun}+{century}{first:02d}",),
        )

    def texts(self) -> Iterator[str]:
        for noun in NOUNS:
            yield FRAME.format(noun=noun, century=11, first=1)
        for century in CENTURIES:
            for first in range(100):
                yield FRAME.format(noun="war", century=century, first=first) + f"{first:02d}"


def _years(start: int, stop: int) -> tuple[str, ...]:
    return tuple(f"{year:02d}" for year in range(start, stop))
