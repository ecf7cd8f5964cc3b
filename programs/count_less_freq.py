"""How many positions hold a token that occurs at most twice.

Tracr's `make_count_less_freq(n)` says "fewer than n" and computes "at most n".

>>> program.reference(["a", "b", "a", "a"])
[1, 1, 1, 1]
"""

from tracr.compiler.lib import make_count_less_freq

from tracrcheck import Program


def reference(tokens):
    rare = [token for token in tokens if tokens.count(token) <= 2]
    return [len(rare)] * len(tokens)


program = Program(
    name="count_less_freq",
    build=lambda: make_count_less_freq(2),
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=reference,
)
