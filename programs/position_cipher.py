"""Add the position to the token, square, add the token again, all modulo 3: three MLPs in a row.

>>> program.reference([2, 1, 1, 0])
[0, 2, 1, 0]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def add(x, y):
    return (x + y) % 3


def square(x):
    return x * x % 3


def build():
    shifted = rasp.SequenceMap(add, rasp.tokens, rasp.indices).named("shifted")
    squared = rasp.Map(square, shifted).named("squared")
    return rasp.SequenceMap(add, squared, rasp.tokens).named("position_cipher")


program = Program(
    name="position_cipher",
    build=build,
    vocab={0, 1, 2},
    max_seq_len=4,
    reference=lambda tokens: [((token + i) ** 2 + token) % 3 for i, token in enumerate(tokens)],
)
