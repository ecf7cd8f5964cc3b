"""Encodes pairs of texts as tokens, and checks them: a pair that cannot be scored is refused with its line.

Batches come one at a time and none is kept: a long file needs no more memory than a short one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from edgeprune_core.error_codes import user_error
from edgeprune_core.errors import CheckError
from edgeprune_core.tasks.base import Pair
from edgeprune_core.tasks.tokenizer import Tokenizer

NO_TOKEN = -1  # pads rows of answers and foils of different lengths


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPair:
    """Token ids. The answer is read at the last position of the prompt."""

    clean: tuple[int, ...]
    corrupted: tuple[int, ...]
    answers: tuple[int, ...]
    foils: tuple[int, ...]
    where: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class PromptBatch:
    """Pairs of one batch, padded on the right; `answers` and `foils` are padded with NO_TOKEN."""

    clean: Int[Tensor, "pair pos"]
    corrupted: Int[Tensor, "pair pos"]
    valid: Bool[Tensor, "pair pos"]
    scored: Bool[Tensor, "pair pos"]
    answers: Int[Tensor, "pair answer"]
    foils: Int[Tensor, "pair foil"]


def encode(pair: Pair, tokenizer: Tokenizer) -> EncodedPair:
    """Errors: EP182 (out of vocabulary), EP183 (unequal lengths), EP184 (an answer that is not one token, or is a
    foil too), EP185 (a corruption that leaves the answer as it is); each with the pair's line."""
    try:
        clean, corrupted = tuple(tokenizer.encode(pair.clean)), tuple(tokenizer.encode(pair.corrupted))
        _check_lengths(clean, corrupted, tokenizer)
        answers = tuple(_continuation(pair.clean, text, clean, tokenizer) for text in pair.answers)
        foils = tuple(_continuation(pair.clean, text, clean, tokenizer) for text in pair.foils)
        _check_answers(pair, clean == corrupted, set(answers) & set(foils), tokenizer)
    except CheckError as error:
        raise error.at(pair.where) from None
    return EncodedPair(clean=clean, corrupted=corrupted, answers=answers, foils=foils, where=pair.where)


def encoded(pairs: Iterable[Pair], tokenizer: Tokenizer) -> Iterator[EncodedPair]:
    """Each pair in turn. Errors: those of `encode`, and EP180 where there is no pair."""
    any_pair = False
    for pair in pairs:
        yield encode(pair, tokenizer)
        any_pair = True
    if not any_pair:
        raise user_error("EP180", got="no pair")


def joined(pairs: Iterable[EncodedPair], *, at_once: int = 4096) -> PromptBatch:
    """All of them in one batch. Python's numbers take ten times the memory of a tensor's: few pairs are held as such."""
    pairs, parts = iter(pairs), []
    while chunk := list(islice(pairs, at_once)):
        parts.append(batch_of(chunk))
    return PromptBatch(**{
        f.name: _stacked([getattr(part, f.name) for part in parts], NO_TOKEN if f.name in ("answers", "foils") else 0)
        for f in fields(PromptBatch)
    })  # fmt: skip


def _stacked(parts: Sequence[Tensor], fill: int) -> Tensor:
    out = parts[0].new_full((sum(map(len, parts)), max(part.shape[1] for part in parts)), fill)
    start = 0
    for part in parts:
        out[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return out


def batch_of(chunk: Sequence[EncodedPair]) -> PromptBatch:
    lengths = torch.tensor([len(pair.clean) for pair in chunk])
    clean = _padded([pair.clean for pair in chunk], 0)
    place = torch.arange(clean.shape[1])
    return PromptBatch(
        clean=clean,
        corrupted=_padded([pair.corrupted for pair in chunk], 0),
        valid=place < lengths[:, None],
        scored=place == lengths[:, None] - 1,
        answers=_padded([pair.answers for pair in chunk], NO_TOKEN),
        foils=_padded([pair.foils for pair in chunk], NO_TOKEN),
    )


def _padded(rows: Sequence[tuple[int, ...]], fill: int) -> Int[Tensor, "row place"]:
    out = torch.full((len(rows), max(map(len, rows))), fill)
    for row, ids in zip(out, rows, strict=True):
        row[: len(ids)] = torch.tensor(ids, dtype=torch.long)
    return out


def _check_lengths(clean: tuple[int, ...], corrupted: tuple[int, ...], tokenizer: Tokenizer) -> None:
    if not clean:
        raise user_error("EP183.empty", got="0 tokens")
    if len(clean) != len(corrupted):
        raise user_error(
            "EP183.length",
            got=f"{len(clean)} and {len(corrupted)} tokens: {_cut(clean, tokenizer)} against {_cut(corrupted, tokenizer)}",
        )


def _continuation(prompt: str, text: str, ids: tuple[int, ...], tokenizer: Tokenizer) -> int:
    """The one token by which `text` continues the prompt."""
    whole = tuple(tokenizer.encode(prompt + text))
    if whole[:-1] != ids:
        raise user_error(
            "EP184.tokens",
            got=_cut(whole[-4:], tokenizer),
            wanted=f"{_cut(ids[-3:], tokenizer)} and one more",
            answer=text,
        )
    return whole[-1]


def _check_answers(pair: Pair, same_prompt: bool, both: set[int], tokenizer: Tokenizer) -> None:
    if both:
        raise user_error("EP184.foil", got=_cut(tuple(both), tokenizer))
    if same_prompt or (
        pair.corrupted_answers is not None and set(pair.corrupted_answers) == set(pair.answers)
    ):
        what = (
            "is the clean one"
            if same_prompt
            else f"is answered by {', '.join(map(repr, pair.answers[:5]))} too"
        )
        raise user_error("EP185", got=f"the corrupted prompt {what}")


def _cut(ids: Sequence[int], tokenizer: Tokenizer) -> str:
    """How a text is split into tokens, for error messages."""
    return "|".join(tokenizer.decode([i]) for i in ids)
