"""The first token, at every position.

>>> program.reference(["b", "a", "c"])
['b', 'b', 'b']
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    first = rasp.Select(rasp.indices, rasp.indices, lambda key, _: key == 0).named("first")
    return rasp.Aggregate(first, rasp.tokens).named("first_token")


program = Program(
    name="first_token",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [tokens[0]] * len(tokens),
)
