"""1 everywhere if the list ends as it began, else 0.

>>> program.reference(["a", "b", "a"])
[1, 1, 1]
>>> program.reference(["a", "b"])
[0, 0]
"""

from tracr.compiler.lib import length
from tracr.rasp import rasp

from tracrcheck import Program


def build():
    select_first = rasp.Select(rasp.indices, rasp.indices, lambda key, _: key == 0).named("select_first")
    first = rasp.Aggregate(select_first, rasp.tokens).named("first")
    last_index = (length - 1).named("last_index")
    select_last = rasp.Select(rasp.indices, last_index, rasp.Comparison.EQ).named("select_last")
    last = rasp.Aggregate(select_last, rasp.tokens).named("last")
    return rasp.SequenceMap(lambda x, y: int(x == y), first, last).named("first_equals_last")


program = Program(
    name="first_equals_last",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [int(tokens[0] == tokens[-1])] * len(tokens),
)
