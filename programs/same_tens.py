"""How many of up to 32 numbers below 100 have the same tens digit as the own one.

A histogram (Weiss et al. 2021, arXiv 2106.06981) with a vocabulary of 100 tokens at length 32. An MLP reduces each number to
its digit before the head compares.

>>> program.reference([12, 17, 99])
[2, 2, 1]
"""

import random

from tracr.rasp import rasp

from tracrcheck import Program

LONGEST = 32


def build():
    tens = rasp.Map(lambda number: number // 10, rasp.tokens).named("tens")
    same = rasp.Select(tens, tens, rasp.Comparison.EQ).named("same_tens")
    return rasp.SelectorWidth(same).named("count")


def reference(tokens):
    return [sum(other // 10 == token // 10 for other in tokens) for token in tokens]


def some():
    """All numbers, some in each of 15 lists, and three lists of each length: with one, two and six tens digits."""
    rng = random.Random(100)
    yield from (list(range(n, 100, 15)) for n in range(15))
    for n in range(1, LONGEST + 1):
        for digits in (1, 2, 6):
            tens = rng.sample(range(10), digits)
            yield [10 * rng.choice(tens) + rng.randrange(10) for _ in range(n)]


program = Program(
    name="same_tens",
    build=build,
    vocab=set(range(100)),
    max_seq_len=LONGEST,
    reference=reference,
    inputs=some(),
    mlp_exactness=2200,
)
