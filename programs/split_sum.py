"""The number before the `+` of a sum such as `12+345`, right-aligned and padded with zeros.

`split` of Rush and Weiss 2023, "Thinking Like Transformers" (https://srush.github.io/raspy), is the first step of their program
that adds numbers of any length.

>>> program.reference(list("12+345"))
['0', '0', '0', '0', '1', '2']
"""

import random

from tracr.rasp import rasp

from tracrcheck import Program

LONGEST = 10


def build():
    plus = rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key == "+").named("plus")
    place = rasp.Aggregate(plus, rasp.indices).named("place_of_plus")
    everything = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE).named("everything")
    length = rasp.SelectorWidth(everything).named("length")
    shift = rasp.SequenceMap(lambda n, plus: n - plus, length, place).named("shift")
    source = rasp.SequenceMap(lambda i, by: max(i - by, -1), rasp.indices, shift).named("source")
    there = rasp.Select(rasp.indices, source, lambda key, query: key == max(query, 0)).named("there")
    digit = rasp.Aggregate(there, rasp.tokens).named("digit")
    return rasp.SequenceMap(lambda digit, source: "0" if source < 0 else digit, digit, source).named(
        "first_number"
    )


def reference(tokens):
    first = "".join(tokens).split("+")[0]
    return list(first.rjust(len(tokens), "0"))


def some():
    """Five lists of random digits for each length and each position of the `+`."""
    rng = random.Random(10)
    for n in range(2, LONGEST + 1):
        for place in range(n):
            for _ in range(5):
                tokens = rng.choices("123456789", k=n)
                tokens[place] = "+"
                yield tokens


program = Program(
    name="split_sum",
    build=build,
    vocab={*"123456789", "+"},
    max_seq_len=LONGEST,
    reference=reference,
    domain=lambda tokens: tokens.count("+") == 1,
    inputs=some(),
    mlp_exactness=250,
)
