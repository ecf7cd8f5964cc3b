"""The token to the right; no value at the last position.

>>> program.reference(["a", "b", "c"])
['b', 'c', None]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    right = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == query + 1).named("right")
    return rasp.Aggregate(right, rasp.tokens).named("next_token")


program = Program(
    name="next_token",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [*tokens[1:], None],
)
