"""Every bit flipped.

>>> program.reference([0, 1, 1])
[1, 0, 0]
"""

from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="negate_bit",
    build=lambda: rasp.Map(lambda bit: 1 - bit, rasp.tokens).named("negate_bit"),
    vocab={0, 1},
    max_seq_len=3,
    reference=lambda tokens: [int(not bit) for bit in tokens],
)
