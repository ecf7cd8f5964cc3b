"""The token list, backwards.

>>> program.reference(["a", "b", "c"])
['c', 'b', 'a']
"""

from tracr.compiler.lib import make_reverse
from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="reverse",
    build=lambda: make_reverse(rasp.tokens),
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: list(reversed(tokens)),
)
