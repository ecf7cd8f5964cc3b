"""The largest token, at every position.

>>> program.reference([2, 1, 3, 2])
[3, 3, 3, 3]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    larger = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.GT).named("larger")
    how_many_larger = rasp.SelectorWidth(larger).named("how_many_larger")
    largest = rasp.Select(how_many_larger, rasp.tokens, lambda key, _: key == 0).named("largest")
    return rasp.Aggregate(largest, rasp.tokens).named("max_token")


program = Program(
    name="max_token",
    build=build,
    vocab={1, 2, 3},
    max_seq_len=4,
    reference=lambda tokens: [max(tokens)] * len(tokens),
)
