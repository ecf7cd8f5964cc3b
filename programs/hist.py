"""How often each position's token occurs in the input.

>>> program.reference(["a", "b", "a", "c"])
[2, 1, 2, 1]
"""

from tracr.compiler.lib import make_hist

from tracrcheck import Program

program = Program(
    name="hist",
    build=make_hist,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [tokens.count(token) for token in tokens],
)
