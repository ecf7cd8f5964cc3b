"""The fraction of `x` among the tokens at even positions so far.

>>> program.reference(["x", "x", "a", "a"])
[1.0, 1.0, 0.5, 0.5]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    is_x = rasp.numerical(rasp.tokens == "x").named("is_x")
    even = rasp.Select(rasp.indices, rasp.indices, lambda key, _: key % 2 == 0).named("even")
    return rasp.numerical(rasp.Aggregate(even, is_x, default=0)).named("even_fraction")


def reference(tokens):
    chosen = [tokens[: i + 1 : 2] for i in range(len(tokens))]
    return [part.count("x") / len(part) for part in chosen]


program = Program(
    name="even_fraction",
    build=build,
    vocab={"a", "x"},
    max_seq_len=5,
    causal=True,
    reference=reference,
)
