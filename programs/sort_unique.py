"""The tokens in ascending order, for inputs without repeats.

>>> program.reference([3, 1, 4])
[1, 3, 4]
"""

from tracr.compiler.lib import make_sort_unique
from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="sort_unique",
    build=lambda: make_sort_unique(rasp.tokens, rasp.tokens),
    vocab={1, 2, 3, 4},
    max_seq_len=4,
    reference=sorted,
    domain=lambda tokens: len(set(tokens)) == len(tokens),
)
