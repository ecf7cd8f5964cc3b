"""The record a program file holds: a RASP program and the inputs on which it means something.

Kept free of torch, jax and Tracr's compiler: a file of programs imports in milliseconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Token = Any  # int, str or float: whatever RASP calls a value
Tokens = tuple[Token, ...]  # one input
BOS = "compiler_bos"  # Tracr's own names for the two tokens it adds
PAD = "compiler_pad"


@dataclass(frozen=True, kw_only=True, eq=False)
class ByHand:
    """A model that a program file supplies itself, where Tracr cannot express what is wanted.

    model:         an `edgeprune_core.weights.Model` in float64 (any type here: this file imports no torch).
    tokens:        the token of each row of the embedding, BOS and PAD included.
    output_values: what each output coordinate stands for; None for a single number.
    provenance:    writer name -> what it computes, in words.
    truths:        ablation -> certificate, as a record, where the truth is known from elsewhere; None: it is proved when needed.
    """

    model: Any
    tokens: Sequence[Token]
    output_values: Sequence[Any] | None
    provenance: Mapping[str, Sequence[str]]
    truths: Mapping[str, Mapping[str, Any]] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """One RASP program, with everything that fixes what it means.

    name:          how it is called on the command line; the file's name, by custom.
    build:         called without arguments, returns the SOp.
    vocab:         the tokens a user may type; neither `compiler_bos` nor `compiler_pad` is among them.
    max_seq_len:   the longest token list, BOS not counted.
    causal:        compile with a causal mask, and interpret with Tracr's causal evaluator.
    reference:     an independent plain-Python function, token list -> output list (None where the
                   program gives no value). Compared with the interpreter on the whole domain.
    domain:        a predicate on token lists, where not every one is legal.
    inputs:        every legal token list; or a callable that yields random ones, given a seeded `random.Random`. For
                   domains in which a random list is hardly ever legal, and to choose the list that is proved on.
    mlp_exactness: Tracr's compile option of that name (its default is 100).
    by_hand:       makes the model, instead of Tracr. `build` still gives the SOp that the interpreter
                   evaluates, and everything is compared with it as ever.
    ablations:     those under which its truth is known; None: all.
    """

    name: str
    build: Callable[[], Any]
    vocab: Collection[Token]
    max_seq_len: int
    causal: bool = False
    reference: Callable[[Sequence[Token]], Sequence[Any]] | None = None
    domain: Callable[[Sequence[Token]], bool] | None = None
    inputs: Iterable[Sequence[Token]] | Callable[[random.Random], Iterable[Sequence[Token]]] | None = None
    mlp_exactness: float = 100
    by_hand: Callable[[], ByHand] | None = None
    ablations: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.inputs, Iterator):
            object.__setattr__(self, "inputs", _Kept(self.inputs))


class _Kept:
    """What a generator yields, which can be iterated over once, kept so that it can be again. Runs it as far as needed."""

    def __init__(self, source: Iterator[Sequence[Token]]) -> None:
        self._source = source
        self._lists: list[Sequence[Token]] = []
        self._raised: Exception | None = None

    def __iter__(self) -> Iterator[Sequence[Token]]:
        at = 0
        while at < len(self._lists) or self._more():
            yield self._lists[at]
            at += 1

    def _more(self) -> bool:
        """Whether the generator yields another. One that raised raises again: it is not one that ended."""
        if self._raised is not None:
            raise self._raised
        try:
            given = next(self._source)
        except StopIteration:
            return False
        except Exception as error:
            self._raised = error
            raise
        self._lists.append(
            tuple(given) if isinstance(given, list) else given
        )  # the author may change the list
        return True
