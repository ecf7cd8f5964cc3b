"""The tokens, most frequent first; equally frequent ones stay in input order.

>>> program.reference(["b", "a", "c", "a"])
['a', 'a', 'b', 'c']
"""

from tracr.compiler.lib import make_sort_freq

from tracrcheck import Program

program = Program(
    name="sort_freq",
    build=lambda: make_sort_freq(max_seq_len=4),
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: sorted(tokens, key=lambda token: -tokens.count(token)),
)
