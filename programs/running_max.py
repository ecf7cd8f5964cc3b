"""The largest token so far.

>>> program.reference([1, 2, 1, 3])
[1, 2, 2, 3]
"""

from itertools import accumulate

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    two = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key == 2).named("two")
    three = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key == 3).named("three")
    twos = rasp.SelectorWidth(two).named("twos")
    threes = rasp.SelectorWidth(three).named("threes")
    return rasp.SequenceMap(lambda n2, n3: 3 if n3 else 2 if n2 else 1, twos, threes).named("running_max")


program = Program(
    name="running_max",
    build=build,
    vocab={1, 2, 3},
    max_seq_len=4,
    causal=True,
    reference=lambda tokens: list(accumulate(tokens, max)),
)
