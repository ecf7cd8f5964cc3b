"""Gendered pronoun: "So Mary is a really good friend, isn't" -> " she".

Mathwin et al. 2023 ("Identifying a preliminary circuit for predicting gendered pronouns in GPT-2 small"); the
corrupted prompt has a name of the other gender in the same place, as in Bhaskar et al. 2024. The frames are ours,
after the form of theirs: a remark on somebody, and a tag question.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from edgeprune_core.tasks.base import Pair
from edgeprune_core.tasks.names import MEN, WOMEN

FRAMES = (
    "So {name} is a really good friend, isn't",
    "So {name} is a wonderful cook, isn't",
    "So {name} is always on time, isn't",
    "So {name} is a very careful driver, isn't",
    "So {name} is quite the dancer, isn't",
    "So {name} is never late for work, is",
    "So {name} always remembers a face, doesn't",
    "So {name} often helps at the library, doesn't",
    "So {name} works very hard, doesn't",
    "So {name} tells the best stories, doesn't",
    "So {name} can play the piano, can't",
    "So {name} was at the market yesterday, wasn't",
    "So {name} has found a new job, hasn't",
    "So {name} will come to the party, won't",
)


@dataclass(frozen=True, slots=True)
class GenderedPronoun:
    name: str = "gendered_pronoun"

    def draw(self, rng: random.Random) -> Pair:
        frame, (right, own, wrong, other) = rng.choice(FRAMES), rng.choice(_SIDES)
        name, corrupt_name = rng.choice(own), rng.choice(other)
        return Pair(
            clean=frame.format(name=name),
            corrupted=frame.format(name=corrupt_name),
            answers=(right,),
            foils=(wrong,),
            corrupted_answers=(wrong,),
            template=frame,
            keys=(name, corrupt_name),
        )

    def texts(self) -> Iterator[str]:
        for frame in FRAMES:
            for name in MEN + WOMEN:
                yield from (frame.format(name=name) + pronoun for pronoun in (" he", " she"))


_SIDES = ((" he", MEN, " she", WOMEN), (" she", WOMEN, " he", MEN))
