"""At each position, the fraction of bits so far that are 1, by a causal model.

>>> program.reference([1, 0, 0, 1])
[1.0, 0.5, 0.3333333333333333, 0.5]
"""

from tracr.compiler.lib import make_frac_prevs
from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="frac_prevs",
    build=lambda: make_frac_prevs(rasp.tokens == 1),
    vocab={0, 1},
    max_seq_len=5,
    causal=True,
    reference=lambda tokens: [sum(tokens[: i + 1]) / (i + 1) for i in range(len(tokens))],
)
