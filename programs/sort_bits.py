"""All zeros first, then all ones.

>>> program.reference([1, 0, 1, 0])
[0, 0, 1, 1]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    zero = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key == 0).named("zero")
    zeros = rasp.SelectorWidth(zero).named("zeros")
    return rasp.SequenceMap(lambda i, n: int(i >= n), rasp.indices, zeros).named("sort_bits")


program = Program(
    name="sort_bits",
    build=build,
    vocab={0, 1},
    max_seq_len=5,
    reference=sorted,
)
