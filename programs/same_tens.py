"""How many of up to 32 numbers below 100 have the own one's tens digit.

A vocabulary of 100 tokens at length 32, the size at which TracrBench (Thurnherr and Riesen 2024, arXiv 2409.13714) and
InterpBench (Gupta et al. 2024, arXiv 2407.14494) leave small programs behind. An MLP reduces a number to its digit before the
head compares.

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
    """Every number alone, and of each length three lists over few digits or many."""
    rng = random.Random(100)
    yield from ([n] for n in range(100))
    for n in range(2, LONGEST + 1):
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
