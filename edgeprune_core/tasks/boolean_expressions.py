"""Boolean expressions: "(True and False) or not False is" -> " True"; in a few-shot and in an instruction form.

The task is of BIG-Bench Hard (Suzgun et al. 2022, arXiv 2210.09261); the two forms are those in which Bhaskar et
al. 2024 (arXiv 2406.16778, section 6) compare the circuits of CodeLlama: three solved expressions first, or an
instruction in Llama's chat format, after which the answer stands between quotes. Expressions have 2 to 6 leaves, are
at most 3 operations deep and have no two `not` in a row. A corrupted expression has the same shape, with values and
`and`/`or` redrawn until the result differs: so the token counts are equal.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgeprune_core.tasks.base import Pair

LEAVES, DEPTH = (2, 6), 3

_SHOTS = (
    "(False or True) and (True and True) is True\n"
    "not (True or False) and True is False\n"
    "(not False) or (True and False) is True\n"
)
_INSTRUCTION = (
    "[INST] <<SYS>>\nEvaluate the following boolean expression as either 'True' or 'False'.\n<</SYS>>\n\n"
)


@dataclass(frozen=True, slots=True)
class Operation:
    """`not` of one part, `and` or `or` of two; a part is a value or an operation."""

    operator: str
    parts: tuple[Tree, ...]


Tree = bool | Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class BooleanExpressions:
    form: Literal["few_shot", "instruction"] = "few_shot"

    @property
    def name(self) -> str:
        return f"boolean_{self.form}"

    def prompt(self, expression: str) -> str:
        if self.form == "few_shot":
            return f"{_SHOTS}{expression} is"
        return f"{_INSTRUCTION}{expression} [/INST] '"

    def answer(self, value: bool) -> str:
        return f" {value}" if self.form == "few_shot" else str(value)

    def draw(self, rng: random.Random) -> Pair:
        while _depth(tree := _tree(rng, rng.randint(*LEAVES))) > DEPTH:
            pass
        value = evaluate(tree)
        while evaluate(other := _redrawn(rng, tree)) == value:
            pass
        right, wrong = self.answer(value), self.answer(not value)
        return Pair(
            clean=self.prompt(written(tree)),
            corrupted=self.prompt(written(other)),
            answers=(right,),
            foils=(wrong,),
            corrupted_answers=(wrong,),
            template=self.form,
            keys=(written(tree), written(other)),
        )

    def texts(self) -> Iterator[str]:
        for expression in (
            "True and (not (False or True))",
            "not False or ((True and not False) or True)",
            "(True or not (True and True)) and not (not False)",
            "False and ((not (False)) or True)",
        ):
            for value in (True, False):
                yield self.prompt(expression) + self.answer(value)
        rng = random.Random(
            0
        )  # every expression consists of the same dozen pieces: a few hundred contain them all
        for _ in range(300):
            yield self.prompt(written(_tree(rng, rng.randint(*LEAVES))))


def evaluate(tree: Tree) -> bool:
    if isinstance(tree, bool):
        return tree
    values = [evaluate(part) for part in tree.parts]
    if tree.operator == "not":
        return not values[0]
    return all(values) if tree.operator == "and" else any(values)


def written(tree: Tree) -> str:
    """In Python syntax, with brackets around every nested operation."""
    if isinstance(tree, bool):
        return str(tree)
    parts = [str(part) if isinstance(part, bool) else f"({written(part)})" for part in tree.parts]
    return f"not {parts[0]}" if tree.operator == "not" else f" {tree.operator} ".join(parts)


def _depth(tree: Tree) -> int:
    return 0 if isinstance(tree, bool) else 1 + max(map(_depth, tree.parts))


def _tree(rng: random.Random, leaves: int, negated: bool = False) -> Tree:
    if not negated and rng.random() < 0.25:
        return Operation("not", (_tree(rng, leaves, True),))
    if leaves == 1:
        return rng.random() < 0.5
    left = rng.randint(1, leaves - 1)
    return Operation(rng.choice(("and", "or")), (_tree(rng, left), _tree(rng, leaves - left)))


def _redrawn(rng: random.Random, tree: Tree) -> Tree:
    """The same shape, with other values and operators."""
    if isinstance(tree, bool):
        return rng.random() < 0.5
    operator = tree.operator if tree.operator == "not" else rng.choice(("and", "or"))
    return Operation(operator, tuple(_redrawn(rng, part) for part in tree.parts))
