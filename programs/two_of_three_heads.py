"""Whether the first token is `a`, by a majority of three heads that carry the same bit.

Not unique under zero, mean and resample ablation: any two of the three heads make a smallest
circuit, a different one for each pair. The vote is bit + bit + bit > 1.5. With one head ablated the
two others still carry it: 0 + x is never above 1.5, 2 + x always is, for x = 0 (zero), x = 1/4 at
most (the bit's mean) and any x in {0, 1} (resample). With two ablated, 1 + 0 + 0 (zero, resample)
and 1 + 1/4 + 1/4 (mean) fall short.

>>> program.reference(["a", "b", "d"])
[True, True, True]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    is_a = rasp.numerical(rasp.Map(lambda token: int(token == "a"), rasp.tokens)).named("is_a")
    first = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == 0).named("first")

    def head(name):
        return rasp.numerical(rasp.Aggregate(first, is_a, default=0)).named(name)

    two = rasp.numerical(rasp.LinearSequenceMap(head("head_1"), head("head_2"), 1, 1)).named("two")
    votes = rasp.numerical(rasp.LinearSequenceMap(two, head("head_3"), 1, 1)).named("votes")
    return rasp.Map(lambda n: n > 1.5, votes).named("two_of_three_heads")


program = Program(
    name="two_of_three_heads",
    build=build,
    vocab={"a", "b", "c", "d"},
    max_seq_len=3,
    reference=lambda tokens: [tokens[0] == "a"] * len(tokens),
)
