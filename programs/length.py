"""The number of tokens, at every position.

>>> program.reference(["a", "b", "a"])
[3, 3, 3]
"""

from tracr.compiler.lib import make_length

from tracrcheck import Program

program = Program(
    name="length",
    build=make_length,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [len(tokens)] * len(tokens),
)
