"""1 where the number of ones so far is odd, else 0.

>>> program.reference([1, 0, 1, 1])
[1, 1, 0, 1]
"""

from itertools import accumulate
from operator import xor

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    one = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key == 1).named("one")
    ones = rasp.SelectorWidth(one).named("ones")
    return rasp.Map(lambda count: count % 2, ones).named("running_parity")


program = Program(
    name="running_parity",
    build=build,
    vocab={0, 1},
    max_seq_len=5,
    causal=True,
    reference=lambda tokens: list(accumulate(tokens, xor)),
)
