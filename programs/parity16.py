"""Whether the number of ones among up to sixteen bits is odd: 1 if so, else 0.

Parity is the task on which transformers fail to generalise in length: Zhou et al. 2023 (arXiv 2310.16028); Chiang and
Cholak 2022 (arXiv 2202.12172) give weights for it.

>>> program.reference([1, 0, 1, 1])
[1, 1, 1, 1]
"""

import random

from tracr.rasp import rasp

from tracrcheck import Program

LONGEST = 16


def build():
    ones = rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key == 1).named("ones")
    n_ones = rasp.SelectorWidth(ones).named("n_ones")
    return rasp.Map(lambda n: n % 2, n_ones).named("parity")


def some():
    """Of each length, a list for each number of ones and more."""
    rng = random.Random(16)
    for n in range(1, LONGEST + 1):
        for ones in range(n + 1):
            for _ in range(3):
                yield rng.sample([1] * ones + [0] * (n - ones), n)


program = Program(
    name="parity16",
    build=build,
    vocab={0, 1},
    max_seq_len=LONGEST,
    reference=lambda tokens: [sum(tokens) % 2] * len(tokens),
    inputs=some(),
    mlp_exactness=600,
)
