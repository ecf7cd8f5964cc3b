"""The tokens at even positions, `_` at odd ones. No attention at all.

>>> program.reference(["a", "b", "c"])
['a', '_', 'c']
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    return rasp.SequenceMap(lambda token, i: token if i % 2 == 0 else "_", rasp.tokens, rasp.indices).named(
        "even_tokens"
    )


program = Program(
    name="even_tokens",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: ["_" if i % 2 else token for i, token in enumerate(tokens)],
)
