"""The largest token minus the smallest, at every position.

>>> program.reference([2, 1, 4])
[3, 3, 3]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    larger = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.GT).named("larger")
    smaller = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.LT).named("smaller")
    how_many_larger = rasp.SelectorWidth(larger).named("how_many_larger")
    how_many_smaller = rasp.SelectorWidth(smaller).named("how_many_smaller")
    largest = rasp.Select(how_many_larger, rasp.tokens, lambda key, _: key == 0).named("largest")
    smallest = rasp.Select(how_many_smaller, rasp.tokens, lambda key, _: key == 0).named("smallest")
    maximum = rasp.Aggregate(largest, rasp.tokens).named("maximum")
    minimum = rasp.Aggregate(smallest, rasp.tokens).named("minimum")
    return (maximum - minimum).named("spread")


program = Program(
    name="spread",
    build=build,
    vocab={1, 2, 4},
    max_seq_len=3,
    reference=lambda tokens: [max(tokens) - min(tokens)] * len(tokens),
)
