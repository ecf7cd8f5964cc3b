"""The fraction of all tokens that are `a` minus the fraction that are `b`, at every position.

>>> program.reference(["a", "b", "b", "c"])
[-0.25, -0.25, -0.25, -0.25]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def proportion(token):
    hit = rasp.numerical(rasp.tokens == token).named(f"is_{token}")
    everywhere = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE).named(f"everywhere_{token}")
    return rasp.numerical(rasp.Aggregate(everywhere, hit, default=0)).named(f"proportion_{token}")


def build():
    gap = rasp.LinearSequenceMap(proportion("a"), proportion("b"), 1, -1)
    return rasp.numerical(gap).named("proportion_gap")


program = Program(
    name="proportion_gap",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [(tokens.count("a") - tokens.count("b")) / len(tokens)] * len(tokens),
)
