"""Each token names a position; the token found after following ten such pointers, in ten layers.

Pointer chasing shows what depth is good for: it is the k-hop task of Sanford et al. 2024, "Transformers, Parallel
Computation, and Logarithmic Depth" (arXiv 2402.09268).

>>> program.reference([1, 2, 0])
[2, 0, 1]
"""

import random

from tracr.rasp import rasp

from tracrcheck import Program

HOPS = 10
LONGEST = 8


def build():
    token = rasp.tokens
    for hop in range(1, HOPS + 1):
        there = rasp.Select(rasp.indices, token, rasp.Comparison.EQ).named(f"hop_{hop}")
        token = rasp.Aggregate(there, rasp.tokens).named(f"token_{hop}")
    return token


def reference(tokens):
    out = []
    for place in range(len(tokens)):
        for _ in range(HOPS):
            place = tokens[place]
        out.append(tokens[place])
    return out


def some():
    """Twenty lists of each length; half of them are permutations, in which hops never meet."""
    rng = random.Random(11)
    for n in range(1, LONGEST + 1):
        for k in range(20):
            yield rng.sample(range(n), n) if k % 2 else rng.choices(range(n), k=n)


program = Program(
    name="ten_hops",
    build=build,
    vocab=set(range(LONGEST)),
    max_seq_len=LONGEST,
    reference=reference,
    domain=lambda tokens: max(tokens) < len(tokens),
    inputs=some(),
)
