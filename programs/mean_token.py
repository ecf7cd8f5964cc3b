"""The mean of all tokens, from four heads that each measure how frequent one of them is.

>>> program.reference([1, 4, 4])
[3.0, 3.0, 3.0]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    everywhere = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.TRUE).named("everywhere")

    def share(value):
        flag = rasp.numerical(rasp.Map(lambda token: int(token == value), rasp.tokens)).named(f"is_{value}")
        return rasp.numerical(rasp.Aggregate(everywhere, flag, default=0)).named(f"share_{value}")

    low = rasp.numerical(rasp.LinearSequenceMap(share(1), share(2), 1, 2)).named("low")
    high = rasp.numerical(rasp.LinearSequenceMap(share(3), share(4), 3, 4)).named("high")
    return rasp.numerical(rasp.LinearSequenceMap(low, high, 1, 1)).named("mean_token")


program = Program(
    name="mean_token",
    build=build,
    vocab={1, 2, 3, 4},
    max_seq_len=3,
    reference=lambda tokens: [sum(tokens) / len(tokens)] * len(tokens),
)
