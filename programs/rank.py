"""At each position, how many tokens are smaller than the own one.

>>> program.reference([2, 1, 3, 2])
[1, 0, 3, 1]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    smaller = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.LT).named("smaller")
    return rasp.SelectorWidth(smaller).named("rank")


program = Program(
    name="rank",
    build=build,
    vocab={1, 2, 3},
    max_seq_len=4,
    reference=lambda tokens: [sum(other < token for other in tokens) for token in tokens],
)
