"""After `R`, the rest of the list reversed; after `S`, every token moved one place to the right.

Two mechanisms in one model. Each input uses one of them, and the circuit needs both: reversal (Weiss et al. 2021, arXiv
2106.06981) and a previous-token head (Olsson et al. 2022, arXiv 2209.11895).

>>> program.reference(list("Rabc"))
[None, 'c', 'b', 'a']
>>> program.reference(list("Sabc"))
[None, 'S', 'a', 'b']
"""

import random

from tracr.rasp import rasp

from tracrcheck import Program

LONGEST = 10


def build():
    at_first = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == 0).named("at_first")
    mode = rasp.Aggregate(at_first, rasp.tokens).named("mode")
    everything = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE).named("everything")
    length = rasp.SelectorWidth(everything).named("length")
    opposite = rasp.SequenceMap(lambda n, i: n - i if i else -1, length, rasp.indices).named("opposite")
    mirrored = rasp.Select(rasp.indices, opposite, rasp.Comparison.EQ).named("mirrored")
    reversed_ = rasp.Aggregate(mirrored, rasp.tokens).named("reversed")
    left = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == query - 1).named("left")
    moved = rasp.Aggregate(left, rasp.tokens).named("moved")
    after_r = rasp.SequenceMap(lambda mode, t: t if mode == "R" else "-", mode, reversed_).named("after_R")
    return rasp.SequenceMap(lambda r, s: s if r == "-" else r, after_r, moved).named("chosen")


def reference(tokens):
    first, *rest = tokens
    return [None, *(reversed(rest) if first == "R" else tokens[:-1])]


def some():
    """Twenty lists for each length and each mechanism."""
    rng = random.Random(2)
    for first in "RS":
        for n in range(LONGEST):
            for _ in range(20 if n else 1):
                yield [first, *rng.choices("abcd", k=n)]


program = Program(
    name="two_mechanisms",
    build=build,
    vocab=set("RSabcd"),
    max_seq_len=LONGEST,
    reference=reference,
    domain=lambda tokens: tokens[0] in "RS" and not {"R", "S"} & set(tokens[1:]),
    inputs=some(),
    mlp_exactness=250,
)
