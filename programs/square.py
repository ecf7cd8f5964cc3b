"""Every token squared, as a number.

>>> program.reference([-2, 1, 3])
[4, 1, 9]
"""

from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="square",
    build=lambda: rasp.numerical(rasp.Map(lambda token: token * token, rasp.tokens)).named("square"),
    vocab={-2, 0, 1, 3},
    max_seq_len=3,
    reference=lambda tokens: [token**2 for token in tokens],
)
