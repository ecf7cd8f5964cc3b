"""A token where it occurs for the first time, `_` where it has been seen before.

>>> program.reference(["a", "b", "a", "c"])
['a', 'b', '_', 'c']
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    same = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ).named("same")
    occurrence = rasp.SelectorWidth(same).named("occurrence")
    return rasp.SequenceMap(lambda token, n: token if n == 1 else "_", rasp.tokens, occurrence).named(
        "drop_duplicates"
    )


def reference(tokens):
    return ["_" if token in tokens[:i] else token for i, token in enumerate(tokens)]


program = Program(
    name="drop_duplicates",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    causal=True,
    reference=reference,
)
