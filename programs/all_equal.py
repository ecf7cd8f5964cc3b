"""1 everywhere if all tokens are the same, else 0.

>>> program.reference(["a", "a", "a"])
[1, 1, 1]
>>> program.reference(["a", "b", "a"])
[0, 0, 0]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    other = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.NEQ).named("other")
    others = rasp.SelectorWidth(other).named("others")
    return rasp.Map(lambda count: int(count == 0), others).named("all_equal")


program = Program(
    name="all_equal",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [int(len(set(tokens)) == 1)] * len(tokens),
)
