"""The fraction of all tokens that are `a`, at every position.

>>> program.reference(["a", "b", "c", "a"])
[0.5, 0.5, 0.5, 0.5]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    is_a = rasp.numerical(rasp.tokens == "a").named("is_a")
    everywhere = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE).named("everywhere")
    return rasp.numerical(rasp.Aggregate(everywhere, is_a, default=0)).named("proportion_a")


program = Program(
    name="proportion_a",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [tokens.count("a") / len(tokens)] * len(tokens),
)
