"""1 where at least half of the tokens so far are `x`, else 0.

>>> program.reference(["x", "a", "a", "x"])
[1, 1, 0, 1]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    is_x = rasp.numerical(rasp.tokens == "x").named("is_x")
    so_far = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.LEQ).named("so_far")
    fraction = rasp.numerical(rasp.Aggregate(so_far, is_x, default=0)).named("fraction")
    return rasp.Map(lambda value: int(value >= 0.5), fraction).named("at_least_half")


program = Program(
    name="at_least_half",
    build=build,
    vocab={"a", "x"},
    max_seq_len=5,
    reference=lambda tokens: [int(2 * tokens[:n].count("x") >= n) for n in range(1, len(tokens) + 1)],
)
