"""Prompts for a GPT-2 made by `gpt2.py`: pairs of inputs of one length whose outputs at the last position differ."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

from tracrcheck.compiler.compile import Compiled
from tracrcheck.planted.gpt2 import NUMBER, ZERO, Gpt2Host
from tracrcheck.program import BOS, Tokens

MOST = 1000
TRIES = 100_000


def pairs_of(host: Gpt2Host) -> Iterator[dict[str, str]]:
    """At most `MOST` pairs, drawn evenly from the domain, in the format of docs/json.md.

    Of a number, the answer is the token that says it where the clean input has the larger number, and the one that is always
    0 where it has the smaller: the logit difference then falls when the clean input is replaced by the corrupted one.
    """
    compiled, text = host.planted.original, host.text_of
    found = _differing(compiled, random.Random(host.planted.seed))
    for clean, corrupted, said, instead in found:
        right, wrong = _answers(compiled, host.texts, said, instead)
        yield {
            "clean": _prompt(clean, text),
            "corrupted": _prompt(corrupted, text),
            "answer": f" {right}",
            "foil": f" {wrong}",
        }


def _differing(compiled: Compiled, draw: random.Random) -> list[tuple[Tokens, Tokens, Any, Any]]:
    """(clean, corrupted, the value after each): all of them where all pairs are few, else a sample, found by trying pairs."""
    by_length: dict[int, list[tuple[Tokens, Any]]] = {}
    for tokens in compiled.domain.inputs:
        if (value := compiled.interpret(tokens)[-1]) is not None:
            by_length.setdefault(len(tokens), []).append((tokens, value))
    rows = list(by_length.values())
    if sum(len(row) ** 2 for row in rows) <= TRIES:
        pairs = [pair for row in rows for pair in product(row, row)]
        draw.shuffle(pairs)
    else:
        chosen = draw.choices(rows, [len(row) ** 2 for row in rows], k=TRIES)
        pairs = list(dict.fromkeys((draw.choice(row), draw.choice(row)) for row in chosen))
    differing = [(*clean, *corrupted) for clean, corrupted in pairs if clean[1] != corrupted[1]]
    return [(clean, corrupted, said, instead) for clean, said, corrupted, instead in differing[:MOST]]


def _answers(compiled: Compiled, texts: tuple[str, ...], said: Any, instead: Any) -> tuple[str, str]:
    if compiled.output_values is None:
        return (NUMBER, ZERO) if said > instead else (ZERO, NUMBER)
    outputs = texts[len(compiled.token_ids) :]
    return tuple(outputs[compiled.output_values.index(value)] for value in (said, instead))  # type: ignore[return-value]


def _prompt(tokens: Tokens, text: dict[Any, str]) -> str:
    return " ".join(text[token] for token in (BOS, *tokens))
