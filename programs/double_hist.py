"""How many positions hold a token as frequent as the own one, among up to nine letters out of five.

The double histogram of Weiss et al. 2021, "Thinking Like Transformers" (arXiv 2106.06981), by positions instead of by
different tokens: a selector over counts.

>>> program.reference(list("aabbc"))
[4, 4, 4, 4, 1]
"""

import random

from tracr.rasp import rasp

from tracrcheck import Program

LONGEST = 9


def build():
    same = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ).named("same_letter")
    count = rasp.SelectorWidth(same).named("count")
    as_frequent = rasp.Select(count, count, rasp.Comparison.EQ).named("as_frequent")
    return rasp.SelectorWidth(as_frequent).named("n_as_frequent")


def reference(tokens):
    counts = [tokens.count(token) for token in tokens]
    return [counts.count(count) for count in counts]


def some():
    """Of each length, lists over one to five letters."""
    rng = random.Random(9)
    for n in range(1, LONGEST + 1):
        for k in range(45):
            yield rng.choices("abcde"[: 1 + k % 5], k=n)


program = Program(
    name="double_hist",
    build=build,
    vocab=set("abcde"),
    max_seq_len=LONGEST,
    reference=reference,
    inputs=some(),
    mlp_exactness=200,
)
