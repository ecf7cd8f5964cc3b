"""Sizes of random programs: how long and how varied their inputs are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Size:
    """How long and how varied inputs are: weights of `max_seq_len` and of the number of tokens. mixed: numbers and texts as values of
    one sequence, in half of the programs."""

    lengths: Mapping[int, int]
    tokens: Mapping[int, int]
    mixed: bool = False


SIZES = {
    "small": Size(lengths={1: 1, 2: 4, 3: 6, 4: 3}, tokens={2: 5, 3: 3, 4: 1}),
    "large": Size(lengths=dict.fromkeys(range(5, 13), 1), tokens=dict.fromkeys(range(3, 13), 1), mixed=True),
}
