"""The mean of the bits up to and including the own position.

>>> program.reference([1, 0, 0, 1])
[1.0, 0.5, 0.3333333333333333, 0.5]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    bit = rasp.numerical(rasp.Map(lambda token: token, rasp.tokens)).named("bit")
    so_far = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE).named("so_far")
    return rasp.numerical(rasp.Aggregate(so_far, bit, default=0)).named("mean_of_bits")


program = Program(
    name="mean_of_bits",
    build=build,
    vocab={0, 1},
    max_seq_len=5,
    causal=True,
    reference=lambda tokens: [sum(tokens[:n]) / n for n in range(1, len(tokens) + 1)],
)
