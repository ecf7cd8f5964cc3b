"""Each token twice in a row, cut off at the length of the input.

>>> program.reference(["a", "b", "c"])
['a', 'a', 'b']
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    half = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == query // 2).named("half")
    return rasp.Aggregate(half, rasp.tokens).named("slow_motion")


program = Program(
    name="slow_motion",
    build=build,
    vocab={"a", "b"},
    max_seq_len=5,
    causal=True,
    reference=lambda tokens: [token for token in tokens for _ in range(2)][: len(tokens)],
)
