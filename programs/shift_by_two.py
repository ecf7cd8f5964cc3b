"""The token two positions to the left; nothing at the first two positions.

>>> program.reference(["a", "b", "c", "b"])
[None, None, 'a', 'b']
"""

from tracr.compiler.lib import shift_by
from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="shift_by_two",
    build=lambda: shift_by(2, rasp.tokens),
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [None, None, *tokens][: len(tokens)],
)
