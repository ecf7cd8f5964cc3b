"""Every token plus one.

>>> program.reference([2, 0, 1])
[3, 1, 2]
"""

from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="successor",
    build=lambda: rasp.Map(lambda token: token + 1, rasp.tokens).named("successor"),
    vocab={0, 1, 2},
    max_seq_len=3,
    reference=lambda tokens: [token + 1 for token in tokens],
)
