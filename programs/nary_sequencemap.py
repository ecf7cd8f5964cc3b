"""The position, counted from the start where the token is 0, from the end where it is 1.

>>> program.reference([1, 0, 0, 1])
[3, 1, 2, 0]
"""

from tracr.compiler.lib import make_length, make_nary_sequencemap
from tracr.rasp import rasp

from tracrcheck import Program


def position(token, index, length):
    return length - 1 - index if token else index


program = Program(
    name="nary_sequencemap",
    build=lambda: make_nary_sequencemap(position, rasp.tokens, rasp.indices, make_length()),
    vocab={0, 1},
    max_seq_len=4,
    reference=lambda tokens: [position(token, i, len(tokens)) for i, token in enumerate(tokens)],
)
