"""At each position, the fraction of `(` so far minus the fraction of `)`.

>>> program.reference(["(", ")", ")", "a"])
[1.0, 0.0, -0.3333333333333333, -0.25]
"""

from tracr.compiler.lib import make_pair_balance
from tracr.rasp import rasp

from tracrcheck import Program


def reference(tokens):
    prefixes = [tokens[: i + 1] for i in range(len(tokens))]
    return [(p.count("(") - p.count(")")) / len(p) for p in prefixes]


program = Program(
    name="pair_balance",
    build=lambda: make_pair_balance(rasp.tokens, "(", ")"),
    vocab={"(", ")", "a"},
    max_seq_len=4,
    reference=reference,
)
