"""Up to eight different numbers out of ten, sorted.

Sorting at length 8 is a task of Friedman et al. 2023, "Learning Transformer Programs" (arXiv 2306.01128); the program is
that of Weiss et al. 2021 (arXiv 2106.06981): the number of smaller tokens is the place to go to.

>>> program.reference([7, 0, 3])
[0, 3, 7]
"""

import random

from tracr.rasp import rasp

from tracrcheck import Program

LONGEST = 8


def build():
    smaller = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.LT).named("smaller")
    target = rasp.SelectorWidth(smaller).named("target")
    here = rasp.Select(target, rasp.indices, rasp.Comparison.EQ).named("comes_here")
    return rasp.Aggregate(here, rasp.tokens).named("sorted")


def some():
    """Every number alone, and fifty lists of each length above."""
    rng = random.Random(8)
    yield from ([n] for n in range(10))
    for n in range(2, LONGEST + 1):
        yield from (rng.sample(range(10), n) for _ in range(50))


program = Program(
    name="sort_ten",
    build=build,
    vocab=set(range(10)),
    max_seq_len=LONGEST,
    reference=sorted,
    domain=lambda tokens: len(set(tokens)) == len(tokens),
    inputs=some(),
    mlp_exactness=200,
)
