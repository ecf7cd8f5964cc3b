"""Which of `a` and `b` occurs more often, or `tie`; two heads count side by side.

>>> program.reference(["a", "c", "b", "a"])
['a', 'a', 'a', 'a']
"""

from tracr.compiler.lib import make_count
from tracr.rasp import rasp

from tracrcheck import Program


def winner(a, b):
    return "tie" if a == b else "a" if a > b else "b"


def build():
    counts = make_count(rasp.tokens, "a"), make_count(rasp.tokens, "b")
    return rasp.SequenceMap(winner, *counts).named("more_a_or_b")


program = Program(
    name="more_a_or_b",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [winner(tokens.count("a"), tokens.count("b"))] * len(tokens),
)
