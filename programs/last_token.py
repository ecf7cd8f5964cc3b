"""The last token, at every position.

>>> program.reference(["b", "a", "c"])
['c', 'c', 'c']
"""

from tracr.compiler.lib import length
from tracr.rasp import rasp

from tracrcheck import Program


def build():
    last_index = (length - 1).named("last_index")
    last = rasp.Select(rasp.indices, last_index, rasp.Comparison.EQ).named("last")
    return rasp.Aggregate(last, rasp.tokens).named("last_token")


program = Program(
    name="last_token",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [tokens[-1]] * len(tokens),
)
