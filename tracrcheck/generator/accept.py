"""Draws random programs with fixed weights, and accepts or rejects them.

A recipe is accepted if Tracr compiles it, the compiled model equals the interpreter on the whole domain, and the
output can change under at least one of three ablations. Rejected recipes are counted by their reason.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from tracrcheck.compiler.compile import Compiled, compile_program
from tracrcheck.compiler.equivalence import check_compiled
from tracrcheck.generator.recipe import Recipe, program
from tracrcheck.generator.sample import draft
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

T = TypeVar("T")

# A program is kept if its output can change under one of these. With others, a seed would give other programs.
PROVED_UNDER = ("zero", "mean", "resample")
REASONS = {
    "TC106": "Tracr refuses it",
    "TC107": "Tracr compiles it wrongly",
    "TC108": "the interpreter raises",
}
VACUOUS = "its output cannot change"
AGAIN = "its weights were drawn before"


class _Seeded:
    """Choices from a seeded generator."""

    def __init__(self, seed: int | str) -> None:
        self.rng = random.Random(seed)

    def pick(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        return self.rng.choices(options, weights)[0]

    def below(self, n: int) -> int:
        return self.rng.randrange(n)


def draw(seed: int | str, size: str = "small") -> Recipe:
    """The recipe of this seed: 1-6 operations; small: 2-4 tokens, lengths up to 4 (at most 340 inputs); large: up to 12 of each."""
    return draft(_Seeded(seed), size=size)


def numbered(seed: int, number: int, size: str = "small") -> Recipe:
    """The recipe of draw `number` for this seed."""
    return draw(f"{seed}/{number}", size)


def name_of(seed: int, number: int, size: str = "small") -> str:
    return f"drawn_{seed}_{number}" if size == "small" else f"drawn_{size}_{seed}_{number}"


class Rejected(Exception):
    """A program that is not used. reason: the words under which it is counted; error: with the witness."""

    def __init__(self, reason: str, error: CheckError | None = None) -> None:
        super().__init__(reason)
        self.reason, self.error = reason, error


def compiled_of(recipe: Recipe, name: str = "recipe") -> Compiled:
    """The compiled program. Raises `Rejected` if Tracr refuses or miscompiles it."""
    try:
        compiled = compile_program(program(recipe, name))
        check_compiled(compiled)
    except CheckError as error:
        raise Rejected(REASONS.get(error.code, error.code), error) from None
    return compiled


def vacuous(compiled: Compiled, ablation: str) -> bool:
    """Whether the empty circuit is faithful."""
    task = task_of(compiled, Setting(ablation=ablation))
    return task.accepts(Circuit.empty(task.graph))


@dataclass(kw_only=True)
class Draws:
    """The accepted programs of a seed, each with weights that differ from all before.

    rejected: reason -> how many.
    """

    seed: int
    size: str = "small"
    rejected: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)
    drawn: int = 0

    def __iter__(self) -> Iterator[tuple[int, Compiled]]:
        """The number of the draw, and the program."""
        while True:
            number = self.drawn
            self.drawn += 1
            try:
                yield number, self._accept(number)
            except Rejected as error:
                self.rejected[error.reason] += 1

    def _accept(self, number: int) -> Compiled:
        compiled = compiled_of(numbered(self.seed, number, self.size), name_of(self.seed, number, self.size))
        digest = compiled.model.digest()
        if digest in self.seen:
            raise Rejected(AGAIN)
        self.seen.add(digest)
        if all(vacuous(compiled, ablation) for ablation in PROVED_UNDER):
            raise Rejected(VACUOUS)
        return compiled
