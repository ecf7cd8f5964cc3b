"""Each token names a position; the token found after following five such pointers.

>>> program.reference([1, 2, 0])
[0, 1, 2]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    found = rasp.tokens
    for hop in range(1, 6):
        pointed_at = rasp.Select(rasp.indices, found, rasp.Comparison.EQ).named(f"pointed_at_{hop}")
        found = rasp.Aggregate(pointed_at, rasp.tokens).named(f"found_{hop}")
    return found


def reference(tokens):
    found = tokens
    for _ in range(5):
        found = [tokens[position] for position in found]
    return found


program = Program(
    name="five_hops",
    build=build,
    vocab={0, 1, 2},
    max_seq_len=3,
    reference=reference,
    domain=lambda tokens: max(tokens) < len(tokens),
)
