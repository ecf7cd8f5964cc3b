"""At each position, the fraction of tokens so far that are `x`.

>>> program.reference(["x", "a", "x", "b"])
[1.0, 0.5, 0.6666666666666666, 0.5]
"""

from tracr.compiler.lib import make_frac_prevs
from tracr.rasp import rasp

from tracrcheck import Program


def reference(tokens):
    return [tokens[: i + 1].count("x") / (i + 1) for i in range(len(tokens))]


program = Program(
    name="xproportion",
    build=lambda: make_frac_prevs(rasp.tokens == "x"),
    vocab={"a", "b", "c", "x"},
    max_seq_len=4,
    reference=reference,
)
