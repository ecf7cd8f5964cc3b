"""The second token, at every position; no value where there is none.

>>> program.reference(["b", "a", "c"])
['a', 'a', 'a']
>>> program.reference(["b"])
[None]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    second = rasp.Select(rasp.indices, rasp.indices, lambda key, _: key == 1).named("second")
    return rasp.Aggregate(second, rasp.tokens).named("second_token")


def reference(tokens):
    return [tokens[1] if len(tokens) > 1 else None] * len(tokens)


program = Program(
    name="second_token",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=reference,
)
