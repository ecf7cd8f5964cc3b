"""Lists of pairs of prompts in little memory: the texts of a task repeat each other, so they are compressed in blocks."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import chain, islice
from operator import attrgetter
from typing import Any, overload

from edgeprune_core.tasks import Pair

# Pairs that are compressed together: more take hardly less memory, and longer to read one of.
TOGETHER = 256

_values = attrgetter(*(field.name for field in fields(Pair)))
_names = [field.name for field in fields(Pair)]


class PackedPairs(Sequence[Pair]):
    """A list of pairs; each is made again when it is read."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._blocks: list[bytes] = []
        self._length, pairs = 0, iter(pairs)
        while some := list(islice(pairs, TOGETHER)):
            self._blocks.append(zlib.compress(json.dumps(list(map(_values, some))).encode()))
            self._length += len(some)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Pair]:
        return chain.from_iterable(map(_unpacked, self._blocks))

    @overload
    def __getitem__(self, place: int) -> Pair: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Pair, ...]: ...
    def __getitem__(self, place: int | slice) -> Pair | tuple[Pair, ...]:
        found = range(self._length)[place]
        if isinstance(found, int):
            return _unpacked(self._blocks[found // TOGETHER])[found % TOGETHER]
        whole = {block: _unpacked(self._blocks[block]) for block in {i // TOGETHER for i in found}}
        return tuple(whole[i // TOGETHER][i % TOGETHER] for i in found)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return False
        return all(one == two for one, two in zip(self, other, strict=True))


def _unpacked(block: bytes) -> list[Pair]:
    return [
        Pair(**{name: _tupled(value) for name, value in zip(_names, values, strict=True)})
        for values in json.loads(zlib.decompress(block))
    ]


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
