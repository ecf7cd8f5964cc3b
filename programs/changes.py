"""1 where the token differs from the one to its left, else 0; the first position counts as no change.

>>> program.reference(["a", "b", "b", "a"])
[0, 1, 0, 1]
"""

from itertools import pairwise

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    left = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == max(query - 1, 0)).named("left")
    previous = rasp.Aggregate(left, rasp.tokens).named("previous")
    return rasp.SequenceMap(lambda x, y: int(x != y), rasp.tokens, previous).named("changes")


def reference(tokens):
    return [0] + [int(a != b) for a, b in pairwise(tokens)]


program = Program(
    name="changes",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    causal=True,
    reference=reference,
)
