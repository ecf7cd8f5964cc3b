"""The first token chooses: after `R` the rest of the list is reversed, after `S` every token moves one place to the right.

Two mechanisms side by side, of which each input uses one, and both of which the circuit needs: the question of Weiss et al.
2021 (reverse) and Olsson et al. 2022 (previous-token heads, arXiv 2209.11895) in one model.

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
    """Of each length and either mechanism, twenty lists."""
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
