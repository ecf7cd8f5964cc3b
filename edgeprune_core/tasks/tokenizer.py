"""Tokenizers: anything with `encode` and `decode`, and a word-level tokenizer of our own.

Ours cuts a text into pieces (a word with the space before it, two digits, a sign, a line's end) that are looked up
in a list; the pieces of a text, joined, are the text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from edgeprune_core.error_codes import user_error
from edgeprune_core.errors import did_you_mean

SCHEMA = "edgeprune_core.words/1"
END = "<|endoftext|>"  # for padding and for the start of a text: no text encodes to it

_PIECE = re.compile(
    r"\n| ?\[/?INST\]| ?<</?SYS>>| ?[A-Za-z]+(?:'[a-z]+)?| ?[0-9]{2}| ?[^\sA-Za-z0-9]|.", re.DOTALL
)


class Tokenizer(Protocol):
    """Tokenizers of `transformers` satisfy it as they are."""

    def encode(self, text: str) -> Sequence[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...


@dataclass(frozen=True)
class WordTokenizer:
    """`pieces[i]` is the text of token i; `pieces[0]` is END."""

    pieces: tuple[str, ...]

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> WordTokenizer:
        """The pieces of these texts, sorted: the same for the same set of texts."""
        found = {piece for text in texts for piece in _PIECE.findall(text)}
        return cls((END, *sorted(found)))

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, text: str) -> list[int]:
        """Errors: EP182, a piece that is not in the list."""
        return _looked_up(text, _PIECE.findall(text), self._ids, n=len(self))

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self.pieces[i] for i in ids)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {piece: i for i, piece in enumerate(self.pieces) if i}

    def dumps(self) -> str:
        return json.dumps({"schema": SCHEMA, "pieces": self.pieces}, indent=0, ensure_ascii=True) + "\n"

    @property
    def digest(self) -> str:
        """SHA-256 of the file, as hex."""
        return hashlib.sha256(self.dumps().encode()).hexdigest()

    @classmethod
    def load(cls, path: str | Path) -> WordTokenizer:
        """Errors: EP188, not such a file."""
        try:
            record = json.loads(Path(path).read_text())
        except (OSError, ValueError) as error:
            raise user_error("EP188.unreadable", where=path, got=error) from None
        pieces = record.get("pieces") if isinstance(record, dict) and record.get("schema") == SCHEMA else None
        if not pieces or pieces[0] != END or len(set(pieces)) < len(pieces):
            raise user_error("EP188.file", where=path, wanted=f"{SCHEMA}, pieces once each, {END} first")
        return cls(tuple(pieces))


@dataclass(frozen=True)
class SplitTokenizer:
    """Words separated by spaces: `WordLevel` after `WhitespaceSplit` of the `tokenizers` package, without special tokens."""

    ids: Mapping[str, int]

    def encode(self, text: str) -> list[int]:
        """Errors: EP182, a word that is not in the list."""
        return _looked_up(text, text.split(), self.ids, n=len(self.ids))

    def decode(self, ids: Sequence[int]) -> str:
        words = {i: word for word, i in self.ids.items()}
        return " ".join(words[i] for i in ids)

    @classmethod
    def of_file(cls, path: Path) -> SplitTokenizer | None:
        """That of a `tokenizer.json`; None if it says another kind, or is no such file."""
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            model, kind = record["model"], record["pre_tokenizer"]["type"]
            plain = not any(record.get(name) for name in ("normalizer", "post_processor", "added_tokens"))
            fits = plain and model["type"] == "WordLevel" and kind == "WhitespaceSplit"
            return cls(dict(model["vocab"])) if fits else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _looked_up(text: str, pieces: Iterable[str], ids: Mapping[str, int], *, n: int) -> list[int]:
    """n: pieces of the tokenizer, for the message. Errors: EP182."""
    try:
        return [ids[piece] for piece in pieces]
    except KeyError as error:
        piece = error.args[0]
        raise user_error(
            "EP182",
            got=repr(text if len(text) <= 80 else text[:77] + "..."),
            wanted=f"pieces among the tokenizer's {n}",
            do=did_you_mean(piece, ids),
            piece=piece,
        ) from None
