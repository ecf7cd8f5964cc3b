"""The token one position to the left; nothing at the first position.

>>> program.reference(["a", "b", "c"])
[None, 'a', 'b']
"""

from tracr.compiler.lib import shift_by
from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="shift_by_one",
    build=lambda: shift_by(1, rasp.tokens),
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [None, *tokens][: len(tokens)],
)
