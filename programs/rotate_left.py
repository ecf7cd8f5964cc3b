"""Every token moved one place to the left, the first one to the end.

>>> program.reference(["a", "b", "c"])
['b', 'c', 'a']
"""

from tracr.compiler.lib import length
from tracr.rasp import rasp

from tracrcheck import Program


def build():
    source = rasp.SequenceMap(lambda i, n: i + 1 if i + 1 < n else 0, rasp.indices, length).named("source")
    right = rasp.Select(rasp.indices, source, rasp.Comparison.EQ).named("right")
    return rasp.Aggregate(right, rasp.tokens).named("rotate_left")


program = Program(
    name="rotate_left",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [*tokens[1:], tokens[0]],
)
