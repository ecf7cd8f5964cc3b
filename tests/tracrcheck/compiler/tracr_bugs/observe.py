"""What Tracr does with a program: its compiled model against its own interpreter, on the whole domain."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
from tracr.compiler.compiling import compile_rasp_to_model
from tracr.rasp import rasp

from tracrcheck.compiler.haiku import _initialised_with_zeros
from tracrcheck.program import BOS, Program

TOLERANCE = 0.01  # between numbers: 0.01 of a range of 1, which the programs in the table have


@dataclass(frozen=True)
class Witness:
    """An input on which the two differ."""

    given: list[Any]
    interpreted: list[Any]
    decoded: list[Any]


@dataclass(frozen=True)
class Observation:
    """The whole domain's size, and the smallest input on which compiled and interpreted differ."""

    n_inputs: int
    n_different: int
    witness: Witness | None


def domain(program: Program) -> Iterator[list[Any]]:
    """All legal token lists, fewest tokens first, then in the order of the sorted vocabulary."""
    legal = program.domain or (lambda given: True)
    vocab = sorted(program.vocab, key=lambda token: (type(token).__name__, token))
    for length in range(1, program.max_seq_len + 1):
        yield from (list(given) for given in itertools.product(vocab, repeat=length) if legal(given))


def compile_program(program: Program):
    """Tracr's own model. The weights that it overwrites are not drawn at random first (`test_haiku.py`): that takes seconds."""
    with _initialised_with_zeros():
        return compile_rasp_to_model(program.build(), set(program.vocab), program.max_seq_len)


def agree(interpreted: Any, decoded: Any) -> bool:
    """Equal, or as numbers within the tolerance; where the interpreter gives no value, anything is right."""
    if interpreted is None:
        return True
    if isinstance(interpreted, int | float) and isinstance(decoded, int | float):
        return abs(interpreted - decoded) <= TOLERANCE
    return interpreted == decoded


@cache
def observe(program: Program) -> Observation:
    model, sop = compile_program(program), program.build()
    model.forward = jax.jit(model.forward)  # one XLA program per length, not per operation
    different, n_inputs = [], 0
    for given in domain(program):
        n_inputs += 1
        interpreted: Sequence[Any] = rasp.evaluate(sop, given)
        decoded = model.apply([BOS, *given]).decoded[1:]
        if not all(map(agree, interpreted, decoded)):
            different.append(Witness(given, list(interpreted), decoded))
    return Observation(n_inputs, len(different), different[0] if different else None)
