"""Indirect object identification: "Then, Mary and John went to the park. John gave a ring to" -> " Mary".

Wang et al. 2022 (arXiv 2211.00593), section 2 and appendix E: the names come in either order, the subject is named
again in the last clause, and the answer is the other one. The frames here are ours, after the form of theirs.
Two corruptions: `abc` puts three other names, all different, in the three places, so that nothing is right (theirs,
and that of Bhaskar et al. 2024); `swap` names the other one in the last clause, so that the subject becomes the
answer.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgeprune_core.tasks.base import Pair, together
from edgeprune_core.tasks.names import MEN, WOMEN

FRAMES = (
    "Then, {one} and {two} went to the {place}. {again} gave a {thing} to",
    "Then, {one} and {two} had lunch at the {place}. {again} handed a {thing} to",
    "When {one} and {two} got home from the {place}, {again} gave a {thing} to",
    "After {one} and {two} left the {place}, {again} passed a {thing} to",
    "While {one} and {two} were waiting at the {place}, {again} showed a {thing} to",
    "Yesterday, {one} and {two} met near the {place}, and {again} sold a {thing} to",
    "Last week {one} and {two} found a {thing} at the {place}. {again} gave it to",
    "The friends {one} and {two} walked to the {place}, where {again} offered a {thing} to",
    "Before {one} and {two} closed the {place}, {again} brought a {thing} to",
    "In the morning {one} and {two} were working at the {place}. {again} sent a {thing} to",
    "As {one} and {two} were leaving the {place}, {again} returned the {thing} to",
    "At the {place}, {one} and {two} talked for hours. Afterwards {again} gave a {thing} to",
)
PLACES = (
    "park",
    "school",
    "station",
    "office",
    "garden",
    "library",
    "market",
    "church",
    "hospital",
    "restaurant",
)
THINGS = ("ring", "book", "letter", "basket", "ticket", "picture", "bottle", "hat", "map", "watch")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndirectObject:
    """corruption: see above."""

    corruption: Literal["abc", "swap"] = "abc"
    name: str = "ioi"

    def draw(self, rng: random.Random) -> Pair:
        frame, place, thing = rng.choice(FRAMES), rng.choice(PLACES), rng.choice(THINGS)
        answer, subject, *others = rng.sample(MEN + WOMEN, 5)
        first = rng.random() < 0.5

        def prompt(indirect: str, direct: str, again: str) -> str:
            one, two = (indirect, direct) if first else (direct, indirect)
            return frame.format(one=one, two=two, again=again, place=place, thing=thing)

        keys = [together(answer, subject)]
        right: tuple[str, ...] = ()
        if self.corruption == "abc":
            corrupted = prompt(*others)
            keys.append(together(*others[:2]))
        else:
            corrupted, right = prompt(answer, subject, answer), (f" {subject}",)
        return Pair(
            clean=prompt(answer, subject, subject),
            corrupted=corrupted,
            answers=(f" {answer}",),
            foils=(f" {subject}",),
            corrupted_answers=right,
            template=frame,
            keys=tuple(keys),
        )

    def texts(self) -> Iterator[str]:
        for frame in FRAMES:
            for name in MEN + WOMEN:
                yield frame.format(one=name, two=name, again=name, place="park", thing="ring") + f" {name}"
            for place, thing in zip(PLACES, THINGS, strict=True):
                yield frame.format(one="Mary", two="John", again="John", place=place, thing=thing)
