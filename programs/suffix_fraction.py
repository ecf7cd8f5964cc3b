"""The fraction of `x` among the tokens to the right; 0 at the last position.

>>> program.reference(["a", "x", "a", "x"])
[0.6666666666666666, 0.5, 1.0, 0.0]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    is_x = rasp.numerical(rasp.tokens == "x").named("is_x")
    to_the_right = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.GT).named("to_the_right")
    return rasp.numerical(rasp.Aggregate(to_the_right, is_x, default=0)).named("suffix_fraction")


def reference(tokens):
    suffixes = [tokens[i + 1 :] for i in range(len(tokens))]
    return [s.count("x") / len(s) if s else 0.0 for s in suffixes]


program = Program(
    name="suffix_fraction",
    build=build,
    vocab={"a", "b", "x"},
    max_seq_len=4,
    reference=reference,
)
