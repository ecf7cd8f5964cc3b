"""The tokens in ascending order, repeats kept.

>>> program.reference([3, 1, 3, 2])
[1, 2, 3, 3]
"""

from tracr.compiler.lib import make_sort
from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="sort",
    build=lambda: make_sort(rasp.tokens, rasp.tokens, max_seq_len=4, min_key=1),
    vocab={1, 2, 3},
    max_seq_len=4,
    reference=sorted,
)
