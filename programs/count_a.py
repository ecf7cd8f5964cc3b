"""How many tokens are `a`, at every position.

>>> program.reference(["a", "b", "a"])
[2, 2, 2]
"""

from tracr.compiler.lib import make_count
from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="count_a",
    build=lambda: make_count(rasp.tokens, "a"),
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [tokens.count("a")] * len(tokens),
)
